"""host: what a service is to whatever runs it: the simulated world, or a process of its own."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from stratvector.runtime.ports import Ports


@dataclass(frozen=True)
class Tasks:
    """The coroutines of one service instance.

    main : the work; the instance is done when all of them are. background : lease keepers and the
    like, cancelled then. LostOwnership out of any of them ends the whole instance, which is started
    anew under another instance name.
    """

    main: Sequence[Coroutine[Any, Any, None]]
    background: Sequence[Coroutine[Any, Any, None]] = ()


ServiceFactory = Callable[[Ports], Tasks]
