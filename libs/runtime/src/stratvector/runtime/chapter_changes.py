"""chapter_changes: what may change from one chapter of a run to the next, and what may not."""

import json
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Any

from stratvector.runtime.logged_session import portfolio_of
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.session_document import BadSession, canonical
from stratvector.trading.chapters import FIRST, Chapter
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.runs import has_deadlines
from stratvector.trading.versions import other_symbols


class OtherChapter(CannotStart):
    """What is at hand is not what the log began with; the sentence says where they part."""


def as_first(chapter: Chapter) -> Chapter:
    """A chapter's document, engine and bars, without who wanted it and what it carries."""
    return replace(chapter, number=FIRST, previous="", carried=None, applied_by="", applied_at=0)


def refuse_other(logged: Chapter, own: Chapter) -> None:
    """Hold what is at hand against what a log began with. Raises OtherChapter where they differ."""
    refuse_change(logged, own)
    if as_first(logged) != as_first(replace(own, engine_hash=logged.engine_hash)):
        raise OtherChapter("the session's document is not the one that its log began with")


def refuse_change(standing: Chapter, wanted: Chapter) -> None:
    """Hold what is wanted of a run against the chapter that holds in it: what may change while it
    runs is its limits, its costs, its models, their budgets and strategies, the symbols of its
    universes, what its reports say, and its engine. A model may be added or removed; one that
    stays keeps its universe, and may get a new version. A symbol that stays keeps its universe
    and its terms; bars are others only of universes with other symbols. A replay is the result of
    one engine.

    Raises OtherChapter where anything else differs.
    """
    refuse_engine(standing, wanted.engine_hash)
    if (what := _unchangeable(standing, wanted)) is not None:
        raise OtherChapter(
            f"the session's document is not the one that its log began with: {what}; while a "
            f"portfolio runs, {', '.join(CHANGEABLE)} may change: apply it as another run"
        )
    others = other_symbols(portfolio_of(as_first(standing)), portfolio_of(as_first(wanted)))
    before = {one.universe: (one.hash, one.closes) for one in standing.bars}
    for one in wanted.bars:
        if one.universe not in others and before.get(one.universe) != (one.hash, one.closes):
            raise OtherChapter(
                f"the bars of universe {one.universe} are not those that the log began with"
            )


def refuse_engine(standing: Chapter, engine: str) -> None:
    """A replay is not gone on with by another engine. engine : a hash. Raises OtherChapter."""
    if standing.engine_hash != engine and not has_deadlines(standing.run):
        raise OtherChapter(
            f"the session began with engine {standing.engine_hash} and this is {engine}: a replay "
            "is the result of one engine, so continue it with the version that it began with, or "
            "start a new one"
        )


def versioned(standing: Chapter, wanted: Chapter) -> Chapter:
    """What is wanted after a chapter, with the version of each universe: the next one where its
    list of symbols is another, else the same.
    """
    others = other_symbols(portfolio_of(as_first(standing)), portfolio_of(as_first(wanted)))
    earlier = {
        one.universe: one.earlier_versions + (one.universe in others) for one in standing.bars
    }
    bars = [replace(one, earlier_versions=earlier[one.universe]) for one in wanted.bars]
    return replace(wanted, bars=tuple(bars))


def toward(standing: Chapter, wanted: Chapter, held: Container[str]) -> Chapter:
    """What can hold after a chapter of what is wanted: all of it but for universes that lose a
    symbol which is held. Such a one keeps its symbols and its bars, and those that it is to lose
    are closing. held : the symbols of which there are lots or open orders.

    Raises BadSession where that is no portfolio.
    """
    closing = _closing(standing, wanted, held)
    before = {one.universe: one for one in standing.bars}
    bars = [
        replace(before.get(one.universe, one), closing=closing[one.universe])
        if one.universe in closing
        else replace(one, closing=())
        for one in wanted.bars
    ]
    found = replace(wanted, bars=tuple(bars))
    if closing:
        found = replace(found, document=_keeping(standing.document, wanted.document, closing))
        _ = portfolio_of(as_first(found))
    return found


def says_the_same(one: Chapter, other: Chapter) -> bool:
    """Whether both have one document, and the same symbols are closing in them."""
    closing = [{bars.universe: bars.closing for bars in chapter.bars} for chapter in (one, other)]
    return one.document == other.document and closing[0] == closing[1]


def _closing(
    standing: Chapter, wanted: Chapter, held: Container[str]
) -> dict[str, tuple[str, ...]]:
    """By universe that loses a held symbol, all that it is to lose."""
    after, closing = portfolio_of(as_first(wanted)), dict[str, tuple[str, ...]]()
    for universe in portfolio_of(as_first(standing)).universes:
        stays = after.universe(universe.name).symbols
        lost = tuple(symbol for symbol in universe.symbols if symbol not in stays)
        if any(symbol in held for symbol in lost):
            closing[universe.name] = lost
    return closing


def _keeping(standing: str, wanted: str, universes: Container[str]) -> str:
    """A wanted document with some universes as they stand."""
    ours, document = json.loads(standing), json.loads(wanted)
    there = {one["name"]: one for one in ours["portfolio"]["universes"]}
    portfolio = document["portfolio"]
    portfolio["universes"] = [
        there[one["name"]] if one["name"] in universes else one for one in portfolio["universes"]
    ]
    sources = document["sources"]
    document["sources"] = {
        name: ours["sources"][name] if name in universes else source
        for name, source in sources.items()
    }
    # A class whose first symbol is still to come has nothing to cap.
    held = {one["asset_class"] for u in portfolio["universes"] for one in u["instruments"]}
    caps = portfolio["limits"]["class_caps"]
    portfolio["limits"]["class_caps"] = {name: caps[name] for name in caps if name in held}
    return canonical(document)


def changed_universes(standing: Chapter, wanted: Chapter) -> tuple[str, ...]:
    """Those of which a document names other symbols than the chapter before."""
    return other_symbols(portfolio_of(as_first(standing)), portfolio_of(as_first(wanted)))


def adds_models(standing: Chapter, wanted: Chapter) -> bool:
    """Whether a document names models that the chapter before does not."""
    before = portfolio_of(as_first(standing)).model_names
    return not set(portfolio_of(as_first(wanted)).model_names) <= set(before)


def renewed_models(before: Chapter, after: Chapter) -> tuple[str, ...]:
    """The models that two chapters following each other name with other strategies: another class
    or version, other parameters or another code. Each begins anew with the later one.
    """
    ours, theirs = (json.loads(one.document).get("strategies", {}) for one in (before, after))
    return tuple(name for name in theirs if ours.get(name, theirs[name]) != theirs[name])


def strategy_described(chapter: Chapter, model: str) -> str:
    """What a chapter's document says of a model's strategy, in its one text. Raises BadSession."""
    described = json.loads(chapter.document).get("strategies", {})
    if model not in described:
        raise BadSession(f"the document names no strategy of model {model}")
    return canonical(described[model])


CHANGEABLE = (
    "its limits",
    "costs",
    "models, their budgets and strategies",
    "symbols",
    "benchmark and risk-free rate",
)
_REPORTED = ("caveats", "benchmark", "risk_free_rate")


def _unchangeable(standing: Chapter, wanted: Chapter) -> str | None:
    """The first value that differs and may not, in words; None where there is none."""
    ours, theirs = json.loads(standing.document), json.loads(wanted.document)
    for document in (ours, theirs):
        for key in _REPORTED:
            document.pop(key, None)
        for key in ("limits", "costs"):
            document.get("portfolio", {}).pop(key, None)
        models = document["portfolio"]["models"]
        for model in models:
            model.pop("budget_fraction", None)
        document["portfolio"]["models"] = {model["name"]: model for model in models}
        document.pop("strategies", None)
        _name_symbols(document)
    both = ours["portfolio"]["models"].keys() & theirs["portfolio"]["models"].keys()
    for document in (ours, theirs):
        named = document["portfolio"]["models"]
        for name in named.keys() - both:
            del named[name]
    _keep_shared_symbols(ours["portfolio"]["universes"], theirs["portfolio"]["universes"])
    return next(_differing(ours, theirs), None)


def _name_symbols(document: dict[str, Any]) -> None:
    """Universes and their instruments by name, and sources without the symbols that they repeat."""
    universes = document["portfolio"]["universes"]
    for universe in universes:
        universe["instruments"] = {one["symbol"]: one for one in universe["instruments"]}
    document["portfolio"]["universes"] = {one["name"]: one for one in universes}
    document["portfolio"]["order of universes"] = [one["name"] for one in universes]
    for source in document.get("sources", {}).values():
        if isinstance(source.get("load"), dict):
            source["load"].pop("symbols", None)


def _keep_shared_symbols(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Only the instruments that a universe has on both sides are compared."""
    for name in ours.keys() & theirs.keys():
        instruments = ours[name]["instruments"], theirs[name]["instruments"]
        both = instruments[0].keys() & instruments[1].keys()
        for one in instruments:
            for symbol in one.keys() - both:
                del one[symbol]


def refuse_wish(standing: Chapter, wanted: Chapter) -> None:
    """The same for what is to hold from now on, whose models have names that are free: what a
    removed model holds and earned stays under its own; no universe loses all of its symbols, and
    none of them moves to another one. Raises OtherChapter.
    """
    refuse_change(standing, wanted)
    _refuse_lost_symbols(portfolio_of(as_first(standing)), portfolio_of(as_first(wanted)))
    if standing.carried is None:
        return
    named = portfolio_of(as_first(standing)).model_names
    removed = {one.name for one in standing.carried.models} - set(named)
    for model in portfolio_of(as_first(wanted)).models:
        if model.name in removed:
            raise OtherChapter(
                f"model {model.name} was removed from this run, and its books stay under that "
                "name: add it under another one"
            )


def _refuse_lost_symbols(before: Portfolio, after: Portfolio) -> None:
    places = {one.symbol: u.name for u in after.universes for one in u.instruments}
    for universe in before.universes:
        for symbol in universe.symbols:
            if places.get(symbol, universe.name) != universe.name:
                raise OtherChapter(
                    f"symbol {symbol} of universe {universe.name} is in {places[symbol]} now: "
                    "remove it first, and add it there when it has gone"
                )
        if not any(symbol in places for symbol in universe.symbols):
            raise OtherChapter(
                f"universe {universe.name} keeps none of its symbols "
                f"{', '.join(universe.symbols)}: while a portfolio runs, a universe keeps one at "
                "least"
            )


def _differing(ours: Any, theirs: Any, place: str = "") -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            inner = f"{place}.{key}" if place else key
            yield from _differing(ours.get(key), theirs.get(key), inner)
    elif ours != theirs:
        yield f"{place} differs"
