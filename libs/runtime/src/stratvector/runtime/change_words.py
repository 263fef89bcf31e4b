"""change_words: what two documents differ in, in words: a line for all that belongs together."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratvector.runtime.document_changes import ABSENT_WORD, ENGINE
from stratvector.trading.roles import MANUAL, SELL

SOLD = "wanted no more, sold until it is flat"
WANTED_AGAIN = "wanted again"
CLOSING = re.compile(r"closing\[(?P<universe>[^]]*)\]\.symbols\[(?P<symbol>.*)\]")
UNIVERSE = re.compile(r"portfolio\.universes\[(?P<name>[^]]*)\]")
MODEL = re.compile(r"portfolio\.models\[(?P<name>[^]]*)\]")
FATE = re.compile(r"portfolio\.on_removal\.(?P<model>.+)")
# What a universe that comes or goes changes besides; which closes there are follows from all.
COUNTED = ("closes", "last_close")
SYMBOL = re.compile(r"portfolio\.universes\[(?P<universe>[^]]*)\]\.instruments\[(?P<symbol>.*)\]")

STRATEGY = re.compile(
    r"strategies\.(?P<model>.+?)\.(?:parameters\.(?P<parameter>.+)|(?P<part>class|version|source))"
)


@dataclass(frozen=True)
class SymbolChange:
    """What becomes of a symbol of a universe. what : in a few words."""

    universe: str
    symbol: str
    what: str


def symbol_change(change: Mapping[str, str]) -> SymbolChange | None:
    """What a change says of a symbol as a whole, None where it is another change."""
    comes, goes = (change[side] == ABSENT_WORD for side in ("before", "after"))
    for pattern, words in ((SYMBOL, ("added", "removed")), (CLOSING, (SOLD, WANTED_AGAIN))):
        if (found := pattern.fullmatch(change["place"])) is not None and comes != goes:
            return SymbolChange(found["universe"], found["symbol"], words[goes])
    return None


@dataclass(frozen=True)
class StrategyChange:
    """What becomes of the strategy of a model that stays. what : a parameter, or class, version or
    code. before, after : values without quotes.
    """

    model: str
    what: str
    before: str
    after: str


def strategy_change(change: Mapping[str, str]) -> StrategyChange | None:
    """What a change says of the strategy of a model that stays, None where it is another change."""
    if (found := STRATEGY.fullmatch(change["place"])) is None:
        return None
    what = found["parameter"] or {"source": "code"}.get(found["part"], found["part"])
    before, after = (change[side].strip('"') for side in ("before", "after"))
    return StrategyChange(found["model"], what, before, after)


@dataclass(frozen=True)
class UniverseChange:
    """What becomes of a universe. what : in a word."""

    universe: str
    what: str


def universe_change(change: Mapping[str, str]) -> UniverseChange | None:
    """What a change says of a universe as a whole, None where it is another change."""
    if (name := _whole(UNIVERSE, change)) is None:
        return None
    return UniverseChange(name, "removed" if change["after"] == ABSENT_WORD else "added")


def _whole(pattern: re.Pattern[str], change: Mapping[str, str]) -> str | None:
    """The name of what a change adds or removes as a whole, None where it is another change."""
    comes, goes = (change[side] == ABSENT_WORD for side in ("before", "after"))
    found = pattern.fullmatch(change["place"])
    return None if found is None or comes == goes else found["name"]


@dataclass(frozen=True)
class ModelChange:
    """What becomes of a model as a whole, or of what it holds. what : in a few words, of an added
    one with its strategy and its budget.
    """

    model: str
    what: str


def model_change(
    change: Mapping[str, str], found: Sequence[Mapping[str, str]]
) -> ModelChange | None:
    """What a change says of a model as a whole, None where it is another change. Its strategy
    stands elsewhere among those found.
    """
    if (name := _whole(MODEL, change)) is None:
        return _fate_change(change)
    if change["after"] == ABSENT_WORD:
        fates = [one for one in found if one["place"] == f"portfolio.on_removal.{name}"]
        return ModelChange(name, ", ".join(["removed", *(_fate(name, one) for one in fates)]))
    strategy = next(one["after"] for one in found if one["place"] == f"strategies.{name}")
    allocation = json.loads(change["after"])
    budget = f"{allocation['budget_fraction'] * 100:.10g} % of universe {allocation['universe']}"
    return ModelChange(name, f"added, {_strategy(json.loads(strategy))}, budget {budget}")


def _fate_change(change: Mapping[str, str]) -> ModelChange | None:
    """What becomes of what a model holds once it is removed, or of what `manual` keeps."""
    if (found := FATE.fullmatch(change["place"])) is None:
        return None
    name = found["model"]
    return ModelChange(name, ("" if name == MANUAL else "once removed, ") + _fate(name, change))


def _fate(name: str, change: Mapping[str, str]) -> str:
    if change["after"] == json.dumps(SELL) or (name != MANUAL and change["after"] == ABSENT_WORD):
        return "what it holds is sold"
    return f"what it holds is kept by {MANUAL}" if name != MANUAL else "what it holds is kept"


def _strategy(told: Mapping[str, Any]) -> str:
    """Its class, without the module, its version and its parameters."""
    values = [
        f"{name} {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in told["parameters"].items()
    ]
    name = told["class"].partition(":")[2]
    return f"{name} {told['version']}" + (f" ({', '.join(values)})" if values else "")


def without_repeats(found: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Changes but for those that say in other words that universes, models or symbols come or go:
    a universe has a source and a model a strategy, the source lists its symbols by place, and what
    has gone is closing no more.
    """
    universes = [one.universe for change in found if (one := universe_change(change)) is not None]
    told = [place for name in universes for place in (f"sources.{name}", f"closing[{name}]")]
    told += COUNTED if universes else ()
    models = [name for change in found if (name := _whole(MODEL, change))]
    told += [f"{key}.{name}" for name in models for key in ("strategies", "portfolio.on_removal")]
    of = [(change, symbol_change(change)) for change in found if change["place"] not in told]
    moved = {one.universe for _, one in of if one and one.what in ("added", "removed")}
    gone = {(one.universe, one.symbol) for _, one in of if one and one.what == "removed"}
    repeated = tuple(f"sources.{universe}.load.symbols[" for universe in moved)
    return [
        change
        for change, one in of
        if not change["place"].startswith(repeated)
        and not (one and one.what == WANTED_AGAIN and (one.universe, one.symbol) in gone)
    ]


def lines(found: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Changes for people, a line each."""
    for change in without_repeats(found):
        if (one := symbol_change(change)) is not None:
            yield f"symbol {one.symbol} of universe {one.universe}: {one.what}"
        elif (of := strategy_change(change)) is not None:
            yield f"model {of.model}: {of.what} {of.before} → {of.after}"
        elif (model := model_change(change, found)) is not None:
            yield f"model {model.model}: {model.what}"
        elif (whole := universe_change(change)) is not None:
            yield f"universe {whole.universe}: {whole.what}"
        elif change["place"] == ENGINE:
            yield f"engine {json.loads(change['before'])} → {json.loads(change['after'])}"
        else:
            yield f"{change['place']}: {change['before']} → {change['after']}"
