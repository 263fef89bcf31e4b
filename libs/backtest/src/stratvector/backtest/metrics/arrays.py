"""The two array types of this room: numbers, and UTC nanoseconds."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Times: TypeAlias = NDArray[np.int64]

DAY_NS = 86_400_000_000_000
DAYS_PER_YEAR = 365.25
