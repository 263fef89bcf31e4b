"""From what a user configures to what the engine takes: None becomes infinity, names become
indices.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from stratvector.trading.engine.state import ASSET, Flags, Floats, Rules
from stratvector.trading.instruments import Instrument
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.roles import Role


def rules_of(portfolio: Portfolio, restricted: frozenset[str] = frozenset()) -> Rules:
    """The engine's rules of a portfolio. restricted : symbols that may not be traded."""
    limits, costs, instruments = portfolio.limits, portfolio.costs, portfolio.instruments
    classes = _numbered(i.asset_class for i in instruments)
    assets = _numbered(i.asset for i in instruments)
    accounts = _numbered(portfolio.account_names)
    return Rules(
        grid=grid_of(instruments),
        groups=np.array(
            [
                (
                    assets[i.asset],
                    classes[i.asset_class],
                    i.symbol in restricted,
                    accounts[universe.account],
                )
                for universe in portfolio.universes
                for i in universe.instruments
            ],
            dtype=np.int64,
        ),
        budget=np.array([m.budget_fraction for m in portfolio.models]),
        class_cap=np.array([_cap(limits.class_caps.get(name)) for name in classes]),
        keeper=_keeper(portfolio),
        gives=_gives(portfolio),
        position_cap=_cap(limits.position),
        symbol_cap=_cap(limits.symbol),
        asset_cap=_cap(limits.asset),
        invested_cap=_cap(limits.invested),
        gross_cap=_cap(limits.gross),
        capital_cap=_cap(limits.capital),
        daily_loss=_cap(limits.daily_loss),
        drawdown_trigger=_cap(limits.drawdown_trigger),
        drawdown_halt=_cap(limits.drawdown_halt),
        derisking_factor=float(limits.derisking_factor),
        rebalance_band=float(limits.rebalance_band),
        minimum_order_notional=float(limits.minimum_order_notional),
        cash_collar=_cap(limits.cash_collar if limits.cash == "strict" else None),
        commission=float(costs.commission),
        slippage=float(costs.slippage),
        volume_limit=_cap(costs.volume_limit),
    )


def _keeper(portfolio: Portfolio) -> int:
    """Its place among the models, -1 where there is none."""
    roles = [model.role for model in portfolio.models]
    return roles.index(Role.KEEPING) if Role.KEEPING in roles else -1


def _gives(portfolio: Portfolio) -> Flags:
    """bool[S, M]; what is closing is sold, whoever has it."""
    gives = np.zeros((len(portfolio.symbols), len(portfolio.models)), np.bool_)
    closing = set(portfolio.closing_symbols)
    gives[:, [model.role is Role.GIVING for model in portfolio.models]] = True
    gives[[symbol in closing for symbol in portfolio.symbols]] = False
    return gives


def grid_of(instruments: Sequence[Instrument]) -> Floats:
    """The engine's grid (float64[S, 2]): lot size in units, and 10^decimals of a price."""
    return np.array([(float(i.lot_size), float(10**i.decimals)) for i in instruments])


def cash_of(portfolio: Portfolio) -> tuple[float, Floats]:
    """The initial cash of the whole portfolio and of each account, float64[A]."""
    parts = np.array([float(account.initial_cash) for account in portfolio.accounts])
    return float(portfolio.initial_cash), parts


def groups_of(rules: Rules) -> int:
    """Room that group sums need: the larger of the numbers of assets and classes."""
    return max(len(rules.class_cap), int(rules.groups[:, ASSET].max()) + 1)


def _cap(value: float | None) -> float:
    return math.inf if value is None else float(value)


def _numbered(names: Iterable[str]) -> dict[str, int]:
    """Each distinct name and its place among them."""
    return {name: number for number, name in enumerate(dict.fromkeys(names))}
