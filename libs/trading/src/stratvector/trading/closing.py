"""closing: models and symbols that were removed while their portfolio ran.

A chapter's document names the models that are wanted; what it carries names every model that ever
held something. Those that only the latter names are closing: their target is nothing, so they sell
what they hold, and keep their line in the books, with what they earned, for as long as the run
lives; also when their universe has gone, and they trade none any more. Where the document says
`on_removal: {NAME: manual}` they don't sell: the pseudo-model `manual` takes over what they hold,
and wants these lots until the document says `on_removal: {manual: sell}`. A symbol that is to go is
sold, whoever has it, see `versions`, and has gone when nothing is held of it; what it earned stays
in the books of the models. A universe that is to go as a whole stays until all of its symbols can.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from stratvector.trading.carried import Carried, CarriedOrder
from stratvector.trading.ledger import LedgerEntry, ModelAccount
from stratvector.trading.orders import SymbolDecision
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.reasons import WeightReason
from stratvector.trading.roles import MANUAL, SELL, Role


def with_closing(wanted: Portfolio, carried: Carried | None) -> Portfolio:
    """A document's portfolio with the models that it no longer names, last and in the order in
    which they are carried; and with `manual` behind them once one of them hands something to it.
    """
    if carried is None:
        return wanted
    named, there = set(wanted.model_names), {universe.name for universe in wanted.universes}
    others = [
        ModelAllocation(
            one.name,
            one.universe if one.universe in there else "",
            0.0,
            _role(one.name, wanted.on_removal),
        )
        for one in carried.models
        if one.name not in named
    ]
    if any(one.role is Role.GIVING for one in others) and carried.model(MANUAL) is None:
        others.append(ModelAllocation(MANUAL, "", 0.0, Role.KEEPING))
    return replace(wanted, models=(*wanted.models, *others)) if others else wanted


def _role(name: str, on_removal: Mapping[str, str]) -> Role:
    """Of a model that a document does not name."""
    if on_removal.get(MANUAL) == SELL:
        return Role.CLOSING
    if name == MANUAL:
        return Role.KEEPING
    return Role.GIVING if on_removal.get(name) == MANUAL else Role.CLOSING


def most_kept(portfolio: Portfolio, carried: Carried) -> dict[str, int]:
    """By symbol, the most lots that `manual` may come to want in a chapter: those that it wants,
    and all that those who give have, or that is on order for them.
    """
    roles = {model.name: model.role for model in portfolio.models}
    if Role.KEEPING not in roles.values():
        return {}
    given = {name for name, role in roles.items() if role is Role.GIVING}
    most = {one.symbol: abs(one.kept) for one in carried.symbols}
    for one in carried.symbols:
        most[one.symbol] += sum(abs(cell.lots) for cell in one.cells if cell.model in given)
    for open_order in carried.orders:
        parts = zip((one.name for one in carried.models), open_order.order.parts, strict=True)
        most[open_order.order.symbol] += sum(abs(part) for name, part in parts if name in given)
    return most


def refuse_lost(portfolio: Portfolio, carried: Carried | None) -> None:
    """A symbol goes only when nothing is held or ordered of it. Raises LostSymbol."""
    held = frozenset() if carried is None else carried.held
    if lost := sorted(held - set(portfolio.symbols)):
        raise LostSymbol(
            f"{lost[0]} is held or ordered, and portfolio {portfolio.name} does not have it"
        )


class LostSymbol(ValueError):
    """A chapter carries something of a symbol that it does not have."""


def in_order(portfolio: Portfolio, carried: Carried) -> tuple[CarriedOrder, ...]:
    """The open orders of a chapter's beginning, with their parts in the order of its models; they
    are carried in that of the chapter before.
    """
    before = [one.name for one in carried.models]
    places = [before.index(name) if name in before else -1 for name in portfolio.model_names]
    if places == list(range(len(before))):
        return carried.orders
    return tuple(
        replace(
            one,
            order=replace(one.order, parts=_placed(one.order.parts, places)),
            given=_placed(one.given, places),
        )
        for one in carried.orders
    )


def with_models(entry: LedgerEntry, names: Sequence[str]) -> LedgerEntry:
    """A close with its parts per model in another order, to be read beside closes of other
    chapters. names : every model of the entry among them.
    """
    before = [one.model for one in entry.models]
    if before == list(names):
        return entry
    places = [before.index(name) if name in before else -1 for name in names]
    decision = entry.decision
    nothing = Decimal(0)
    return replace(
        entry,
        decision=replace(
            decision,
            orders=tuple(replace(o, parts=_placed(o.parts, places)) for o in decision.orders),
            crosses=tuple(replace(c, parts=_placed(c.parts, places)) for c in decision.crosses),
            symbols=tuple(_regrouped(one, places) for one in decision.symbols),
        ),
        attributed=tuple((fill, _placed(parts, places)) for fill, parts in entry.attributed),
        models=tuple(
            entry.models[place] if place >= 0 else ModelAccount(name, {}, nothing, nothing, nothing)
            for name, place in zip(names, places, strict=True)
        ),
    )


def _regrouped(one: SymbolDecision, places: Sequence[int]) -> SymbolDecision:
    reasons = one.weight_reasons
    known = tuple(
        reasons[place] if 0 <= place < len(reasons) else WeightReason.FRESH for place in places
    )
    return replace(one, weight_reasons=known)


def _placed(parts: Sequence[int], places: Sequence[int]) -> tuple[int, ...]:
    """A model that was not there has no part."""
    return tuple(parts[place] if place >= 0 else 0 for place in places)
