"""What the detectors compare: two samples of finite numbers."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]


class BadSample(ValueError):
    """A sample that no detector can take; the message is one sentence."""

    def __init__(self, name: str, rule: str) -> None:
        super().__init__(f"{name} {rule}")
        self.name, self.rule = name, rule


def checked(name: str, sample: Values) -> Values:
    """The sample, which must be one-dimensional, not empty and finite. Raises BadSample."""
    if sample.ndim != 1 or not sample.size:
        raise BadSample(name, f"has shape {sample.shape}; it must be (n,) with n >= 1")
    strange = sample[~np.isfinite(sample)]
    if strange.size:
        raise BadSample(name, f"holds {strange[0]}; every value must be a finite number")
    return sample
