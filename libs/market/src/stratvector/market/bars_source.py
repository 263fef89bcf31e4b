"""bars_source: where the bars of a universe come from and how they are read, as values that travel.

Whoever has the same file or package loads the same bars from it, to the bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from stratvector.market.provenance import Scheduled
from stratvector.market.read_options import ReadOptions
from stratvector.market.universes import SAMPLE, STORE, load_universe


@dataclass(frozen=True)
class BarsSource:
    """What `load_universe` is asked for, see there. first, last : instants, UTC ns."""

    universe: str
    symbols: tuple[str, ...]
    timeframe: str
    calendar: str
    source: str
    first: int
    last: int
    warmup_closes: int
    strict: bool = False
    reading: ReadOptions | None = None

    def load(self) -> Scheduled:
        """The bars. Raises what `load_universe` raises."""
        return load_universe(
            self.universe,
            self.symbols,
            self.timeframe,
            self.calendar,
            self.source,
            self.first,
            self.last,
            warmup_closes=self.warmup_closes,
            strict=self.strict,
            reading=self.reading,
        )

    def document(self) -> dict[str, Any]:
        """As JSON values; a path is absolute, so that another process finds it too."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values |= {"source": _absolute(self.source), "symbols": list(self.symbols)}
        if (told := self.reading) is not None:
            reading = {each.name: getattr(told, each.name) for each in fields(told)}
            values["reading"] = reading | {"columns": dict(told.columns), "drop": list(told.drop)}
        return values

    @classmethod
    def from_document(cls, values: Mapping[str, Any]) -> "BarsSource":
        """From JSON values. Raises ValueError, and what `ReadOptions` raises."""
        told = dict(values)
        for name, kind in _KINDS.items():
            if not isinstance(told.get(name), kind) or isinstance(told[name], bool) != (
                kind is bool
            ):
                raise ValueError(
                    f"{name} of the source is {told.get(name)!r}; it must be {_WORDS[kind]}"
                )
        if not all(isinstance(symbol, str) for symbol in told["symbols"]):
            raise ValueError(f"symbols of the source are {told['symbols']!r}; they must be texts")
        try:
            reading = told.pop("reading")
            if reading is not None:
                reading = ReadOptions(**reading | {"drop": tuple(reading["drop"])})
            return cls(**told | {"symbols": tuple(told["symbols"]), "reading": reading})
        except (KeyError, TypeError) as error:
            raise ValueError(f"the description of a source can't be read: {error}") from None


_KINDS: dict[str, type] = {
    "universe": str,
    "symbols": list,
    "timeframe": str,
    "calendar": str,
    "source": str,
    "first": int,
    "last": int,
    "warmup_closes": int,
    "strict": bool,
}
_WORDS = {str: "a text", list: "a list", int: "a whole number", bool: "true or false"}


def _absolute(source: str) -> str:
    if source == SAMPLE:
        return source
    if source.startswith(STORE):
        return f"{STORE}{Path(source.removeprefix(STORE)).absolute()}"
    return str(Path(source).absolute())
