"""key_value: a compare-and-swap store in memory; one revision counter, as a JetStream bucket
has."""

from collections.abc import Mapping
from functools import partial

from stratvector.runtime.ports import Entry, WrongRevision
from stratvector.runtime.simulation.effect import Call, Channel


class SimulatedKeyValue:
    """Durable: it survives every crash of a process. name : of its effects."""

    def __init__(self, name: str = "kv") -> None:
        self._name = name
        self.entries: dict[str, Entry] = {}
        self._revision = 0

    async def get(self, key: str) -> Entry | None:
        """The current entry, or None."""
        return await Call(f"{self._name} get", key, Channel.READ, partial(self.entries.get, key))

    async def all(self) -> Mapping[str, Entry]:
        """Every key with its current entry."""
        return await Call(f"{self._name} all", "", Channel.READ, partial(dict, self.entries))

    async def put(self, key: str, value: bytes, revision: int) -> int:
        """Swap; when the answer gets lost, the client's own retry is refused with WrongRevision."""
        perform = partial(self._swap, key, value, revision)
        return await Call(f"{self._name} put", key, Channel.SWAP, perform, WrongRevision)

    def _swap(self, key: str, value: bytes, revision: int) -> int:
        entry = self.entries.get(key)
        actual = 0 if entry is None else entry.revision
        if actual != revision:
            raise WrongRevision(f"{key}: revision {revision} was expected, but it is {actual}")
        self._revision += 1
        self.entries[key] = Entry(value, self._revision)
        return self._revision
