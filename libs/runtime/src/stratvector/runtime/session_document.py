"""session_document: what a session is, beside its bars, as JSON values; in a folder and in the log.

    portfolio, start and how long, strategies by class, version, parameters and source, caveats,
    benchmark and risk-free rate, sources of bars

Defaults are worked in, so that no two processes can read them differently.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from stratvector.runtime.document_code import CODE, CodeRefused, carried_class, carried_code
from stratvector.runtime.run_clock import TimeMap
from stratvector.runtime.source_hash import source_hash
from stratvector.runtime.validation_sentences import mistakes
from stratvector.trading.benchmark import Benchmark, benchmark_document, benchmark_from
from stratvector.trading.caveats import Caveat
from stratvector.trading.chapters import ChapterBars
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.roles import Role

# Whole sessions and strategies load the compiler; most processes read only the portfolio.
if TYPE_CHECKING:
    from stratvector.trading.session import Session
    from stratvector.trading.strategy import Strategy

FORMAT = 5
SOURCE = ("source", "total_return", "load")
PORTFOLIO = TypeAdapter(Portfolio)
CAVEATS = TypeAdapter(tuple[Caveat, ...])

Part = TypeVar("Part")


class BadSession(ValueError):
    """Something that is no session which can be run here; the message is one sentence."""


def document_of(session: "Session") -> dict[str, Any]:
    """A session's document, bars left out."""
    return {
        "format": FORMAT,
        "portfolio": portfolio_document(session.portfolio),
        "start": session.start,
        "closes": session.closes,
        "last_close": session.last_close,
        "strategies": {name: described(s) for name, s in session.strategies.items()},
        "caveats": CAVEATS.dump_python(session.caveats, mode="json"),
        "benchmark": benchmark_document(session.benchmark),
        "risk_free_rate": session.risk_free_rate,
        "sources": {
            name: {"source": h.source, "total_return": h.total_return, "load": h.load}
            for name, h in session.histories.items()
        },
    }


def portfolio_document(portfolio: Portfolio) -> dict[str, Any]:
    """A portfolio as a document describes it; none names a removed model or counts versions."""
    document: dict[str, Any] = PORTFOLIO.dump_python(portfolio, mode="json")
    for model in document["models"]:
        model.pop("role")
    for universe in document["universes"]:
        universe.pop("version")
        universe.pop("closing")
    return document


@dataclass(frozen=True)
class EndlessSession:
    """A session whose bars are still to come, from live sources: nobody knows an end.

    start : the first close that may trade, ns UTC. strategies : per model. bars : what stands for
    the bars of each universe in a chapter, their `closes` 0. sources : per universe, as the
    document tells them. time_map : see `SessionDocument`.
    """

    portfolio: Portfolio
    start: int
    strategies: Mapping[str, "Strategy"]
    bars: tuple[ChapterBars, ...]
    sources: Mapping[str, Mapping[str, Any]]
    caveats: tuple[Caveat, ...] = ()
    risk_free_rate: float = 0.0
    time_map: TimeMap | None = None

    def document(self) -> dict[str, Any]:
        """Its document, as `document_of` gives that of a finite one."""
        return {
            "format": FORMAT,
            "portfolio": portfolio_document(self.portfolio),
            "start": self.start,
            "closes": None,
            "last_close": None,
            "strategies": {name: described(s) for name, s in self.strategies.items()},
            "caveats": CAVEATS.dump_python(self.caveats, mode="json"),
            "benchmark": benchmark_document(None),
            "risk_free_rate": self.risk_free_rate,
            "sources": {name: dict(source) for name, source in self.sources.items()},
            "clock": None if self.time_map is None else self.time_map.document(),
        }


def canonical(document: Mapping[str, Any]) -> str:
    """The one text of a document: two documents say the same if and only if their texts are equal.

    What JSON has no value for stands in Python's words, to be compared and not to be read.
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), default=repr)


def described(strategy: "Strategy") -> dict[str, Any]:
    """A strategy as a document tells it; one of a strategy file brings the file's text."""
    kind = type(strategy)
    carried = carried_code(kind)
    place = carried[CODE]["file"] if carried else kind.__module__
    return {
        **carried,
        "class": f"{place}:{kind.__qualname__}",
        "version": strategy.version,
        "parameters": {f.name: getattr(strategy, f.name) for f in fields(strategy) if f.init},
        "source": source_hash(kind),
    }


@dataclass(frozen=True)
class SessionDocument:
    """Reads a document, each part when it is first asked for.

    place : where it stands, for sentences. Raises BadSession from any part that is missing or is
    something else.
    """

    place: str
    values: Mapping[str, Any]

    @classmethod
    def parsed(cls, place: str, text: str) -> "SessionDocument":
        """From its JSON. Raises BadSession."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadSession(f"{place}: it is not JSON: {error}") from None
        found = values.get("format") if isinstance(values, dict) else None
        if found != FORMAT:
            raise BadSession(f"{place}: format is {found!r}; this version reads {FORMAT}")
        return cls(place, values)

    @cached_property
    def portfolio(self) -> Portfolio:
        """Universes, models, limits, costs."""
        return self._part("portfolio", _portfolio)

    @cached_property
    def start(self) -> int:
        """First close that may trade, ns UTC."""
        return self._part("start", _whole)

    @cached_property
    def closes(self) -> int | None:
        """How many closes trade; None where nobody knows an end."""
        return self._part("closes", _whole_or_none)

    @cached_property
    def last_close(self) -> int | None:
        """The last close, ns UTC; None where nobody knows an end."""
        return self._part("last_close", _whole_or_none)

    @cached_property
    def caveats(self) -> tuple[Caveat, ...]:
        """What every report of the session says about its data."""
        return self._part("caveats", CAVEATS.validate_python)

    @cached_property
    def benchmark(self) -> Benchmark | None:
        """What results are compared with, None for buy and hold of all symbols."""
        return self._part("benchmark", benchmark_from)

    @cached_property
    def risk_free_rate(self) -> float:
        """Effective, fraction per year."""
        return self._part("risk_free_rate", float)

    @cached_property
    def strategies(self) -> Mapping[str, "Strategy"]:
        """Per model of the portfolio."""
        return self._part(
            "strategies", lambda all_: {name: self._strategy(name, d) for name, d in all_.items()}
        )

    def strategy(self, model: str) -> "Strategy":
        """That of one model; those of others need not be at hand."""
        return self._part("strategies", lambda all_: self._strategy(model, all_[model]))

    @cached_property
    def time_map(self) -> TimeMap | None:
        """How the run's UTC follows the machine's; None where it is the machine's, as nearly
        always.
        """
        if self.values.get("clock") is None:
            return None
        return self._part("clock", TimeMap.from_document)

    def source(self, universe: str) -> Mapping[str, Any]:
        """Where a universe's bars came from: source, total_return, and how to load them again."""
        return self._part("sources", lambda s: {key: s[universe][key] for key in SOURCE})

    def other_sources(self) -> Iterator[str]:
        """A sentence for each strategy whose code is another one here, though its version is not.

        Raises BadSession.
        """
        for model, strategy in self.strategies.items():
            if self.is_other_source(model, strategy):
                name = type(strategy).__qualname__
                yield f"model {model}: the code of {name} is not what the session began with"

    def is_other_source(self, model: str, strategy: "Strategy") -> bool:
        """Whether a model's strategy, as it is installed here, has another code than it had."""
        recorded: str | None = self.values["strategies"][model].get("source")
        return source_hash(type(strategy)) != recorded

    def _part(self, key: str, read: Callable[[Any], Part]) -> Part:
        try:
            return read(self.values[key])
        except BadSession:
            raise
        except ValidationError as error:
            first = mistakes(error.errors(), below=(key,))[0]
            raise BadSession(f"{self.place}: {first.told()}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            why = "is missing" if key not in self.values else f"can't be read: {error}"
            raise BadSession(f"{self.place}: {key} {why}") from None

    def _strategy(self, model: str, described: Mapping[str, Any]) -> "Strategy":
        from stratvector.trading.strategy import Strategy

        module, _, name = described["class"].partition(":")
        place = f"{self.place}: strategies.{model}"
        try:
            brought = described.get(CODE) is not None
            kind = carried_class(described) if brought else getattr(import_module(module), name)
        except CodeRefused as error:
            raise BadSession(f"{place}: {error}") from None
        except (ImportError, AttributeError, ValueError) as error:
            raise BadSession(f"{place}: {described['class']} can't be imported: {error}") from None
        if not (isinstance(kind, type) and issubclass(kind, Strategy)):
            raise BadSession(f"{place}: {described['class']} is not a strategy")
        if kind.version != described["version"]:
            rule = f"the session was made with {described['version']}"
            raise BadSession(f"{place}: the installed version is {kind.version}; {rule}")
        return kind(**described["parameters"])


def _portfolio(value: Any) -> Portfolio:
    portfolio = PORTFOLIO.validate_python(value, strict=False)
    for model in portfolio.models:
        if model.role is not Role.ACTIVE:
            raise ValueError(f"model {model.name} is {model.role}; leave it out instead")
    for universe in portfolio.universes:
        if universe.version != 1:
            raise ValueError(f"universe {universe.name} has a version; only chapters count them")
        if universe.closing:
            raise ValueError(
                f"universe {universe.name} has closing symbols; leave them out instead"
            )
    return portfolio


def _whole_or_none(value: Any) -> int | None:
    if value is None:
        return None
    if (whole := _whole(value)) < 0:
        raise ValueError(f"{whole} is below 0")
    return whole


def _whole(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError(f"{value!r} is no time in nanoseconds")
    return value
