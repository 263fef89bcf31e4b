"""A strategy whose features take milliseconds, as those of a real model may."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stratvector.trading.bars import Bars
from tests.sessions.generated_sessions import DriftStrategy

ANGLES = 60_000  # about a millisecond per close and symbol


@dataclass(frozen=True)
class HeavyStrategy(DriftStrategy):
    """The drift, weighed by a long sum of what it was; missing where the drift is."""

    name = "heavy"

    def features(self, bars: Bars) -> NDArray[np.float64]:
        """Rows of one feature; the sum has no matrix, whose bits could depend on threads."""
        rows, angles = super().features(bars), np.arange(ANGLES, dtype=np.float64)
        for t, s in np.argwhere(~np.isnan(rows[:, :, 0])).tolist():
            rows[t, s, 0] *= 1.0 + 0.01 * np.sin(angles * rows[t, s, 0]).sum() / ANGLES
        return rows
