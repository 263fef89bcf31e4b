"""at_hand: the message that a coroutine works on, for whoever must name the one that it could not
process; and what it listens to, for whoever ends it.
"""

from contextvars import ContextVar

from stratvector.runtime.ports import Arrivals, Stored

AT_HAND: ContextVar[Stored | None] = ContextVar("at_hand", default=None)
LISTENING: ContextVar[set[Arrivals] | None] = ContextVar("listening", default=None)
