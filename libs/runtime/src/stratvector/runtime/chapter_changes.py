"""chapter_changes: what may change from one chapter of a run to the next, and what may not."""

import json
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import replace
from typing import Any

from stratvector.runtime.logged_session import portfolio_of
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.session_document import BadSession, canonical
from stratvector.trading.chapters import FIRST, Chapter, ChapterBars, GoneUniverse
from stratvector.trading.nearest import suggestion
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.roles import MANUAL
from stratvector.trading.runs import has_deadlines
from stratvector.trading.versions import other_symbols


class OtherChapter(CannotStart):
    """What is at hand is not what the log began with; the sentence says where they part."""


def as_first(chapter: Chapter) -> Chapter:
    """A chapter's document, engine and bars, without who wanted it and what it carries."""
    own = replace(chapter, number=FIRST, previous="", carried=None, gone=())
    return replace(own, applied_by="", applied_at=0)


def refuse_other(logged: Chapter, own: Chapter) -> None:
    """Hold what is at hand against what a log began with. Raises OtherChapter where they differ."""
    refuse_change(logged, own)
    if as_first(logged) != as_first(replace(own, engine_hash=logged.engine_hash)):
        raise OtherChapter("the session's document is not the one that its log began with")


def refuse_begun(standing: Chapter, own: Chapter) -> None:
    """Hold what a process is to go on with against the chapter that holds. Universes that are not
    what they were when the run began are left out: what is at hand may be from then. Raises
    OtherChapter.
    """
    refuse_change(standing, own, [one.universe for one in standing.bars if one.earlier_versions])


def refuse_change(standing: Chapter, wanted: Chapter, but: Collection[str] = ()) -> None:
    """Hold what is wanted of a run against the chapter that holds in it: what may change while it
    runs is its limits, its costs, its models, their budgets and strategies, its universes and their
    symbols, what its reports say, and its engine. A model may be added or removed; one that stays
    keeps its universe, and may get a new version. A universe may be added or removed as well; of
    one that stays a symbol that stays keeps its terms, and bars are others only with other symbols.
    A replay is the result of one engine.

    but : universes that are not compared. Raises OtherChapter where anything else differs.
    """
    refuse_engine(standing, wanted.engine_hash)
    if (what := _unchangeable(standing, wanted, but)) is not None:
        raise OtherChapter(
            f"the session's document is not the one that its log began with: {what}; while a "
            f"portfolio runs, {', '.join(CHANGEABLE)} may change: apply it as another run"
        )
    others = other_symbols(portfolio_of(as_first(standing)), portfolio_of(as_first(wanted)))
    before = {one.universe: (one.hash, one.closes) for one in standing.bars}
    for one in wanted.bars:
        if one.universe not in (*others, *but) and before.get(one.universe) != (
            one.hash,
            one.closes,
        ):
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
    list of symbols is another or where it comes back, the first of one that was never there, else
    the same.
    """
    others = other_symbols(portfolio_of(as_first(standing)), portfolio_of(as_first(wanted)))
    earlier = {one.universe: one.versions for one in standing.gone} | {
        one.universe: one.earlier_versions + (one.universe in others) for one in standing.bars
    }
    bars = [replace(one, earlier_versions=earlier.get(one.universe, 0)) for one in wanted.bars]
    had = {one.universe: one.versions for one in standing.gone} | {
        one.universe: one.earlier_versions + 1 for one in standing.bars
    }
    there = {one.universe for one in bars}
    gone = [GoneUniverse(name, count) for name, count in had.items() if name not in there]
    return replace(wanted, bars=tuple(bars), gone=tuple(gone))


def toward(standing: Chapter, wanted: Chapter, held: Container[str]) -> Chapter:
    """What can hold after a chapter of what is wanted: all of it but for universes that lose a
    symbol which is held, or are to go as a whole. Such a one keeps its symbols and its bars, and
    those that it is to lose are closing. held : the symbols of which there are lots or open orders.

    Raises BadSession where that is no portfolio.
    """
    bars = {one.universe: replace(one, closing=()) for one in wanted.bars}
    if not (closing := _closing(standing, wanted, held)):
        return replace(wanted, bars=tuple(bars.values()))
    for one in standing.bars:
        if one.universe in closing:
            bars[one.universe] = replace(one, closing=closing[one.universe])
    document = _keeping(standing.document, wanted.document, closing)
    found = replace(wanted, document=document, bars=_in_order_of(document, bars.values()))
    _ = portfolio_of(as_first(found))
    return found


def _in_order_of(document: str, bars: Collection[ChapterBars]) -> tuple[ChapterBars, ...]:
    names = [universe["name"] for universe in json.loads(document)["portfolio"]["universes"]]
    return tuple(sorted(bars, key=lambda one: names.index(one.universe)))


def says_the_same(one: Chapter, other: Chapter) -> bool:
    """Whether both have one document, and the same symbols are closing in them."""
    closing = [{bars.universe: bars.closing for bars in chapter.bars} for chapter in (one, other)]
    return one.document == other.document and closing[0] == closing[1]


def _closing(
    standing: Chapter, wanted: Chapter, held: Container[str]
) -> dict[str, tuple[str, ...]]:
    """By universe that loses a held symbol, all that it is to lose."""
    closing = dict[str, tuple[str, ...]]()
    after = {one.name: one.symbols for one in portfolio_of(as_first(wanted)).universes}
    for universe in portfolio_of(as_first(standing)).universes:
        stays = after.get(universe.name, ())
        lost = tuple(symbol for symbol in universe.symbols if symbol not in stays)
        if any(symbol in held for symbol in lost):
            closing[universe.name] = lost
    return closing


def _keeping(standing: str, wanted: str, universes: Collection[str]) -> str:
    """A wanted document with some universes as they stand; those that it does not name are the last
    ones of their accounts.
    """
    ours, document = json.loads(standing), json.loads(wanted)
    portfolio = document["portfolio"]
    kept = {one["name"]: one for one in ours["portfolio"]["universes"] if one["name"] in universes}
    found = {one["name"]: one for one in portfolio["universes"]} | kept
    accounts = [one["name"] for one in portfolio["accounts"]]
    portfolio["universes"] = sorted(found.values(), key=lambda one: accounts.index(one["account"]))
    document["sources"] |= {name: ours["sources"][name] for name in kept}
    if document["last_close"] is not None:
        document["last_close"] = max(ours["last_close"], document["last_close"])
    # A class whose first symbol is still to come has nothing to cap.
    held = {one["asset_class"] for u in portfolio["universes"] for one in u["instruments"]}
    caps = portfolio["limits"]["class_caps"]
    portfolio["limits"]["class_caps"] = {name: caps[name] for name in caps if name in held}
    return canonical(document)


def changed_universes(standing: Chapter, wanted: Chapter) -> tuple[str, ...]:
    """Those of which a document names other symbols than the chapter before, or which it adds."""
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
    "models, their budgets and strategies, what becomes of removed ones",
    "universes and their symbols",
    "benchmark and risk-free rate",
)
_REPORTED = ("caveats", "benchmark", "risk_free_rate")


def _unchangeable(standing: Chapter, wanted: Chapter, but: Collection[str]) -> str | None:
    """The first value that differs and may not, in words; None where there is none. but : universes
    that are not compared.
    """
    ours, theirs = json.loads(standing.document), json.loads(wanted.document)
    for document in (ours, theirs):
        for key in _REPORTED:
            document.pop(key, None)
        for key in ("limits", "costs", "on_removal"):
            document.get("portfolio", {}).pop(key, None)
        models = document["portfolio"]["models"]
        for model in models:
            model.pop("budget_fraction", None)
        document["portfolio"]["models"] = {model["name"]: model for model in models}
        document.pop("strategies", None)
        _name_symbols(document)
        _count_no_closes(document)
    both = ours["portfolio"]["models"].keys() & theirs["portfolio"]["models"].keys()
    for document in (ours, theirs):
        named = document["portfolio"]["models"]
        for name in named.keys() - both:
            del named[name]
    _keep_shared_universes((ours, theirs), but)
    _keep_shared_symbols(ours["portfolio"]["universes"], theirs["portfolio"]["universes"])
    return next(_differing(ours, theirs), None)


def _name_symbols(document: dict[str, Any]) -> None:
    """Universes and their instruments by name, and sources without the symbols that they repeat."""
    universes = document["portfolio"]["universes"]
    for universe in universes:
        universe["instruments"] = {one["symbol"]: one for one in universe["instruments"]}
    document["portfolio"]["universes"] = {one["name"]: one for one in universes}
    for source in document.get("sources", {}).values():
        if isinstance(source.get("load"), dict):
            source["load"].pop("symbols", None)


def _count_no_closes(document: dict[str, Any]) -> None:
    """Which closes there are is a matter of the universes' bars, whose hashes are compared; a
    document says whether there is an end.
    """
    document.pop("last_close", None)
    document["closes"] = document.get("closes") is not None


def _keep_shared_universes(documents: Sequence[dict[str, Any]], but: Collection[str]) -> None:
    """Only universes that both sides have are compared."""
    names = [document["portfolio"]["universes"].keys() for document in documents]
    both = (names[0] & names[1]) - set(but)
    for document in documents:
        for named in (document["portfolio"]["universes"], document.get("sources", {})):
            for name in named.keys() - both:
                del named[name]


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
    removed model holds and earned stays under its own; some universe stays, one that stays does not
    lose all of its symbols, and none of these moves to another one. Raises OtherChapter.
    """
    refuse_change(standing, wanted)
    before, after = portfolio_of(as_first(standing)), portfolio_of(as_first(wanted))
    _refuse_lost_universes(before, after)
    _refuse_lost_symbols(before, after)
    carried = () if standing.carried is None else standing.carried.models
    removed = {one.name for one in carried} - set(before.model_names)
    _refuse_unknown_removals(after, {*before.model_names, *after.model_names, *removed, MANUAL})
    for model in after.models:
        if model.name in removed:
            raise OtherChapter(
                f"model {model.name} was removed from this run, and its books stay under that "
                "name: add it under another one"
            )


def _refuse_unknown_removals(after: Portfolio, known: Collection[str]) -> None:
    """What becomes of a model's lots is said by the name of one that there is or was."""
    for name in after.on_removal:
        if name not in known:
            raise OtherChapter(
                f"on_removal names model {name}, which this run never had; "
                f"{suggestion(name, sorted(known))}"
            )


def _refuse_lost_universes(before: Portfolio, after: Portfolio) -> None:
    names = [universe.name for universe in before.universes]
    if not set(names) & {universe.name for universe in after.universes}:
        raise OtherChapter(
            f"portfolio {after.name} keeps none of its universes {', '.join(names)}: while it "
            "runs, it keeps one at least"
        )


def _refuse_lost_symbols(before: Portfolio, after: Portfolio) -> None:
    places = {one.symbol: u.name for u in after.universes for one in u.instruments}
    stays = {universe.name for universe in after.universes}
    for universe in before.universes:
        for symbol in universe.symbols:
            if places.get(symbol, universe.name) != universe.name:
                raise OtherChapter(
                    f"symbol {symbol} of universe {universe.name} is in {places[symbol]} now: "
                    "remove it first, and add it there when it has gone"
                )
        if universe.name in stays and not any(symbol in places for symbol in universe.symbols):
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
