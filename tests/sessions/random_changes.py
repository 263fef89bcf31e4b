"""What is applied to a session while it runs, drawn at random."""

from dataclasses import replace

import numpy as np

from stratvector.trading.portfolio import Costs, ModelAllocation, RiskLimits
from stratvector.trading.roles import MANUAL, SELL
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import (
    keeping,
    with_fate,
    with_model,
    with_strategy,
    with_symbol,
    with_universe,
    without_model,
    without_universe,
)
from tests.sessions.generated_sessions import DriftStrategy
from tests.sessions.late_flow import CountingStrategy
from tests.sessions.symbol_flow import without_any_symbol


def changed(session: Session, number: int, random: np.random.Generator, whole: Session) -> Session:
    """Other limits, costs, budgets, models, versions of models, symbols or universes, or another
    fate of what removed models hold. number : of the change, for a new name. whole : has the
    universes that may come back.

    Any document before may be passed over, so each must be a change of each: the first universe
    always stays, and of every other one a symbol that it had at first.
    """
    portfolio, models = session.portfolio, session.portfolio.models
    match int(random.integers(0, 15)):
        case 0:
            caps = np.sort(random.uniform(0.05, 1.0, 2)).round(3).tolist()
            limits = RiskLimits(symbol=caps[0], asset=caps[1], gross=2 * caps[1])
            return replace(session, portfolio=replace(portfolio, limits=limits))
        case 1:
            costs = Costs(*random.uniform(0, 0.01, 2).round(5).tolist())
            return replace(session, portfolio=replace(portfolio, costs=costs))
        case 2:
            budgets = random.uniform(0.1, 0.5, len(models)).round(3).tolist()
            pairs = zip(models, budgets, strict=True)
            models = tuple(replace(m, budget_fraction=b) for m, b in pairs)
            return replace(session, portfolio=replace(portfolio, models=models))
        case 3 | 14 if len(models) > 1:
            return _without_a_model(session, random, whole)
        case 4 | 5:
            wider = portfolio.universes[int(random.integers(len(portfolio.universes)))]
            place = int(random.integers(len(wider.symbols) + 1))
            return with_symbol(session, wider.name, f"ADDED{number}", place)
        case 6 | 7 if (fewer := _without_a_symbol(session, random, whole)) is not None:
            return fewer
        case 9 | 10:
            name = models[int(random.integers(len(models)))].name
            window, seen = int(random.integers(1, 4)), random.random() < 0.5
            kind = CountingStrategy if seen else DriftStrategy
            return with_strategy(session, name, kind(window, float(random.choice([0.0, 0.001]))))
        case 11 | 12 if removable := _removable(session, whole):
            return without_universe(session, removable[int(random.integers(len(removable)))])
        case 13 if (missing := _missing(session, whole)) is not None:
            over_it = {f"back_{number}": DriftStrategy(int(random.integers(1, 4)), 0.001)}
            return with_universe(session, whole, missing, over_it, int(random.integers(3)))
        case _:
            universe = portfolio.universes[int(random.integers(len(portfolio.universes)))].name
            model = ModelAllocation(f"added_{number}", universe, 0.3)
            strategy = DriftStrategy(int(random.integers(1, 4)), 0.001)
            return with_model(session, model, strategy, int(random.integers(len(models) + 1)))


def _without_a_model(session: Session, random: np.random.Generator, whole: Session) -> Session:
    """Half of those that the run began with are kept by `manual`; one that a document added may
    never have been there, if that was passed over. Or what `manual` keeps is sold, or no more.
    """
    if random.random() < 0.3:
        return with_fate(session, MANUAL, str(random.choice([SELL, MANUAL])))
    models = session.portfolio.models
    name = models[int(random.integers(len(models)))].name
    if name in whole.portfolio.model_names and random.random() < 0.5:
        return keeping(session, name)
    return without_model(session, name)


def _without_a_symbol(
    session: Session, random: np.random.Generator, whole: Session
) -> Session | None:
    """None where no universe has one to spare."""
    if not any(len(one.symbols) > 1 for one in session.portfolio.universes):
        return None
    fewer = without_any_symbol(session, random)
    first = {one.name: set(one.symbols) for one in whole.portfolio.universes}
    stays = all(first[one.name] & set(one.symbols) for one in fewer.portfolio.universes)
    return fewer if stays else None


def _removable(session: Session, whole: Session) -> list[str]:
    """Universes without which there are models."""
    traded = {model.universe for model in session.portfolio.models}
    stays = whole.portfolio.universes[0].name
    names = [one.name for one in session.portfolio.universes]
    return [name for name in names if traded - {name} and name != stays]


def _missing(session: Session, whole: Session) -> str | None:
    """A universe of another session that this one does not have."""
    there = {universe.name for universe in session.portfolio.universes}
    missing = [one.name for one in whole.portfolio.universes if one.name not in there]
    return missing[0] if missing else None
