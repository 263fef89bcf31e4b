"""The array types of this room: numbers, UTC nanoseconds and flags."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Times: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

DAY_NS = 86_400_000_000_000
DAYS_PER_YEAR = 365.25
