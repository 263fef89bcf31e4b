"""What a strategy has proved, or the first number that is not what it must be."""

from dataclasses import dataclass

from stratvector.trading.strategy import Strategy
from stratvector.trading.timestamps import utc_text


@dataclass(frozen=True)
class Violation:
    """The first number that is not what it must be.

    quantity : "feature 2", "weight", "confidence" or "state 0". symbol : None for a state.
    close : row of the bars. expected, found : what it is over the bars as they are, and otherwise.
    circumstance : what "otherwise" was.
    """

    quantity: str
    symbol: str | None
    close: int
    close_time: int
    expected: float
    found: float
    circumstance: str

    def __str__(self) -> str:
        """One sentence."""
        whose = f" of {self.symbol}" if self.symbol else ""
        return (
            f"{self.quantity}{whose} at close {self.close} ({utc_text(self.close_time)}) is "
            f"{self.expected!r}, but {self.found!r} {self.circumstance}"
        )


@dataclass(frozen=True)
class Certificate:
    """What a strategy has proved on `closes` closes; None where nothing broke the property.

    repeatability : the same bars give the same numbers, whatever was computed before.
    """

    strategy: Strategy
    closes: int
    causality: Violation | None
    bounded_memory: Violation | None
    repeatability: Violation | None = None

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What broke a property, the one that explains the others first."""
        each = self.repeatability, self.causality, self.bounded_memory
        return tuple(one for one in each if one is not None)

    @property
    def holds(self) -> bool:
        """Whether all properties hold."""
        return not self.violations

    @property
    def complaint(self) -> str:
        """The violation that explains the others, in one sentence; empty where all holds."""
        if self.repeatability is not None:
            return (
                f"{self.strategy.name} gives other numbers over the same bars: {self.repeatability}"
            )
        if self.causality is not None:
            return self._looks_ahead
        return self._remembers if self.bounded_memory is not None else ""

    @property
    def _looks_ahead(self) -> str:
        return f"{self.strategy.name} looks ahead: {self.causality}"

    @property
    def _remembers(self) -> str:
        return f"{self.strategy.name} remembers more than its history: {self.bounded_memory}"

    def __str__(self) -> str:
        """One sentence per property; one that gives other numbers each time proves nothing else."""
        if self.repeatability is not None:
            return self.complaint
        name = self.strategy.name
        causal = f"{name} is causal: nothing up to a close depends on what comes after it"
        bounded = f"{name} needs its last {self.strategy.history} closes and its state, no more"
        return "\n".join(
            (
                self._looks_ahead if self.causality else causal,
                self._remembers if self.bounded_memory else bounded,
            )
        )
