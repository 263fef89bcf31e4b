"""Caveats that only a run can show: one function per kind, each from a finished result."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from stratvector.trading.caveats import Caveat

if TYPE_CHECKING:
    from stratvector.backtest.result import Result

Examiner = Callable[["Result"], Iterator[Caveat]]

EXAMINERS: tuple[Examiner, ...] = ()
"""Every kind, in the order of reports."""


def run_caveats(result: "Result") -> Iterator[Caveat]:
    """What the run itself makes doubtful."""
    for examine in EXAMINERS:
        yield from examine(result)
