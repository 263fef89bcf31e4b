"""The ways in which configuration can be wrong, each an exception that carries its facts.

BadConfig(ValueError)
├── ConfigMissing      there is no such file
├── ConfigUnreadable   the file is not YAML, or not a table of keys
├── UnknownKey         a key that nothing reads; with the nearest one that something does
├── BadValue           a value that breaks a rule
└── UnusableData       bars that cannot be loaded as configured
"""

from collections.abc import Iterable
from pathlib import Path

from stratvector.trading.nearest import suggestion


class BadConfig(ValueError):
    """Configuration that cannot be used; the message is one sentence."""


class ConfigMissing(BadConfig):
    """There is no file `path`."""

    def __init__(self, path: Path, needed: str) -> None:
        self.path = path
        super().__init__(f"{path}: there is no such file; {needed}")


class ConfigUnreadable(BadConfig):
    """The file `path` is not YAML, or not a table of keys."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class UnknownKey(BadConfig):
    """Nothing reads `key` in `path`; `known` are the keys that stand beside it."""

    def __init__(self, path: Path, key: str, known: Iterable[str]) -> None:
        self.path, self.key, self.known = path, key, tuple(known)
        name = key.rpartition(".")[2]
        super().__init__(f"{path}: key {key} is unknown; {suggestion(name, self.known)}")


class BadValue(BadConfig):
    """`value` of `key` in `path` breaks `rule`, a phrase such as "it must be above 0".

    value : None where there is none.
    """

    def __init__(self, path: Path | str, key: str, value: object, rule: str) -> None:
        self.path, self.key, self.value, self.rule = path, key, value, rule
        shown = "missing" if value is None else repr(value)
        super().__init__(f"{path}: {key} is {shown}; {rule}")


class UnusableData(BadConfig):
    """The bars of `universe` cannot be loaded; `reason` is the loader's own sentence."""

    def __init__(self, path: Path, universe: str, source: str, reason: str) -> None:
        self.path, self.universe, self.source, self.reason = path, universe, source, reason
        super().__init__(f"{path}: universes.{universe} from {source}: {reason}")
