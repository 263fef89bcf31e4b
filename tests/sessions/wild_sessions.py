"""Wild sessions: everything that a limit may meet, at once, as a function of a seed.

Jumping prices, gaps, unknown and huge weights, shorts, tight caps of every kind, bands, volume
limits, two universes, symbols that share assets and classes.
"""

from dataclasses import replace

import numpy as np

from stratvector.trading.portfolio import Costs, RiskLimits
from stratvector.trading.session import Session
from tests.sessions.scripted_sessions import Row, Script, scripted_session

SYMBOLS = ("A", "B", "C", "D", "E")
HOURS = 24


def wild_session(seed: int) -> Session:
    """A session of one to five symbols and one to three models over 24 hours."""
    random = np.random.default_rng(seed)
    symbols = SYMBOLS[: int(random.integers(1, 6))]
    slow = symbols[len(symbols) // 2 + 1 :] if random.random() < 0.6 else ()
    closes = {s: _prices(random) for s in symbols}
    script = Script(
        closes=closes,
        opens={s: _opens(random, row) for s, row in closes.items()},
        volumes={s: _volumes(random, row) for s, row in closes.items()},
        weights=_weights(random, symbols, slow),
        budgets={name: float(np.round(random.uniform(0.1, 1), 3)) for name in "xyz"},
        assets={s: str(random.choice(["gold", s])) for s in symbols},
        classes={s: str(random.choice(["equity", "crypto"])) for s in symbols},
        limits=_limits(random),
        costs=_costs(random),
        cash=int(random.integers(1_000, 100_000)),
        lot_size=str(random.choice(["1", "0.01", "0.0001"])),
        slow=slow,
    )
    # A cap of a class that no symbol belongs to would be refused.
    held = script.classes.values()
    caps = {name: cap for name, cap in script.limits.class_caps.items() if name in held}
    return scripted_session(replace(script, limits=replace(script.limits, class_caps=caps)))


def _prices(random: np.random.Generator) -> Row:
    volatility = float(random.choice([0.0, 0.01, 0.1, 0.4]))
    walk = random.uniform(1, 900) * np.exp(np.cumsum(random.normal(0, volatility, HOURS)))
    gap = float(random.choice([0.0, 0.15, 0.5]))
    return [float(p) if random.random() >= gap else None for p in np.maximum(walk, 0.05)]


def _opens(random: np.random.Generator, closes: Row) -> Row:
    return [None if c is None else c * float(np.exp(random.normal(0, 0.03))) for c in closes]


def _volumes(random: np.random.Generator, closes: Row) -> Row:
    return [None if c is None else float(random.integers(0, 3_000)) for c in closes]


def _weights(
    random: np.random.Generator, symbols: tuple[str, ...], slow: tuple[str, ...]
) -> dict[str, dict[str, list[float]]]:
    table = {}
    for name in "xyz"[: int(random.integers(1, 4))]:
        mine = slow if slow and random.random() < 0.4 else [s for s in symbols if s not in slow]
        table[name] = {s: _wishes(random) for s in mine}
    return table


def _wishes(random: np.random.Generator) -> list[float]:
    size = float(random.choice([0.1, 1.0, 50.0]))
    unknown = float(random.choice([0.0, 0.3]))
    changes = float(random.choice([0.1, 0.5, 1.0]))
    wish, wishes = 0.0, []
    for _ in range(HOURS):
        if random.random() < changes:
            wish = float(np.round(random.normal(0, size), 9))
        wishes.append(float("nan") if random.random() < unknown else wish)
    return wishes


def _limits(random: np.random.Generator) -> RiskLimits:
    def maybe(low: float, high: float) -> float | None:
        return float(random.uniform(low, high)) if random.random() < 0.5 else None

    return RiskLimits(
        position=maybe(0.05, 0.3),
        symbol=maybe(0.3, 0.5),
        asset=maybe(0.5, 0.7),
        class_caps={"crypto": float(random.uniform(0.1, 0.9))} if random.random() < 0.5 else {},
        invested=maybe(0.2, 1.0),
        gross=maybe(0.3, 2.0),
        capital=maybe(500, 50_000),
        daily_loss=maybe(0.01, 0.2),
        drawdown_trigger=maybe(0.02, 0.2),
        drawdown_halt=maybe(0.2, 0.5),
        rebalance_band=float(random.choice([0.0, 0.02, 0.2])),
        minimum_order_notional=float(random.choice([0.0, 10.0, 200.0])),
        cash=str(random.choice(["margin", "margin", "strict"])),
        cash_collar=float(random.choice([0.01, 0.05])),
    )


def _costs(random: np.random.Generator) -> Costs:
    limit = 0.05 if random.random() < 0.4 else None
    return Costs(commission=0.001, slippage=0.0005, volume_limit=limit)
