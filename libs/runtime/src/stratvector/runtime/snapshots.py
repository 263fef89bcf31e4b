"""snapshots: what those that only watch have folded, so that a start goes on from there instead of
reading the log from its first message.

    folded state, and how far each lane was read ─▶ bucket `snapshots`, <service>.<run>.<portfolio>

It is the fold's own state, so whoever goes on from it comes to the same as who read everything. It
is no record: where there is none, or one of another version or another log, the log is folded from
its beginning.
"""

import json
import zlib
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

from stratvector.contracts.codecs.typed_json import BadText, decode_typed, encode_typed
from stratvector.runtime.ports import Ports, WrongRevision
from stratvector.trading.portfolio import Portfolio

SNAPSHOTS = "snapshots"
# A message of the server has at most 1 MiB. A model of drift takes about 30 kB by its default
# rules, and all of a portfolio in the gateway about 50.
BYTES_MAX = 1_000_000
State = TypeVar("State")


class Snapshots(Generic[State]):
    """The snapshot of one portfolio in one service.

    kind : a dataclass whose fields are the state. fold : names how it is folded; another one is not
    gone on from. log : the id of the log's first message, as another log may have the same names.
    """

    def __init__(
        self,
        ports: Ports,
        service: str,
        portfolio: Portfolio,
        kind: type[State],
        fold: str,
        log: str,
    ) -> None:
        self._bucket = ports.snapshots
        self._key = f"{service}.{portfolio.run}.{portfolio.name}"
        self._kind, self._of = kind, {"fold": fold, "log": log}
        self._revision = 0
        self._told = False

    async def load(self) -> State | None:
        """What was kept last, None where nothing is that this fold can go on from."""
        entry = None if self._bucket is None else await self._bucket.get(self._key)
        if entry is None:
            return None
        self._revision = entry.revision
        try:
            head, _, text = zlib.decompress(entry.value).partition(b"\n")
            return decode_typed(self._kind, text) if json.loads(head) == self._of else None
        except (zlib.error, BadText, ValueError):
            return None

    async def keep(self, state: State) -> bool:
        """Keep a state instead of the one before; False where it is too large, or another instance
        of the service keeps one too, whose turn it then is.
        """
        head = json.dumps(self._of).encode()
        value = zlib.compress(head + b"\n" + encode_typed(state))
        if self._bucket is None:
            return False
        if len(value) > BYTES_MAX:
            self._tell_too_large(len(value))
            return False
        with suppress(WrongRevision):
            self._revision = await self._bucket.put(self._key, value, self._revision)
            return True
        entry = await self._bucket.get(self._key)
        self._revision = 0 if entry is None else entry.revision
        return False

    def _tell_too_large(self, size_bytes: int) -> None:
        """Once: without a snapshot nothing is wrong but the time that the next start takes."""
        if not self._told:
            self._told = True
            log = structlog.get_logger("stratvector.snapshots")
            log.warning(
                "not kept: the next start reads the log from its first message",
                snapshot=self._key,
                size_bytes=size_bytes,
                size_bytes_max=BYTES_MAX,
            )
