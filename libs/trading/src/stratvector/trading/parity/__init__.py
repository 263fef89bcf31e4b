"""Whether a session's log says what the engine says: replayed close by close, by its cuts."""

from stratvector.trading.parity.check import Parity, Parts, check
from stratvector.trading.parity.difference import Difference, Fact

__all__ = ["Difference", "Fact", "Parity", "Parts", "check"]
