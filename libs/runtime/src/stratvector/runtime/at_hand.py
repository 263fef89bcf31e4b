"""at_hand: the message that a coroutine works on, for whoever must name the one that it could not
process.
"""

from contextvars import ContextVar

from stratvector.runtime.ports import Stored

AT_HAND: ContextVar[Stored | None] = ContextVar("at_hand", default=None)
