"""summary: the account in one look, from the ledger, the lanes, risk and drift."""

from stratvector.runtime.peer import PeerError
from stratvector.services.gateway.api.values import (
    DecimalText,
    Figure,
    Shape,
    Time,
    figure,
    time_of,
)
from stratvector.services.gateway.clients.drift import Score
from stratvector.services.gateway.clients.risk import RiskState, ValueAtRisk
from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.event_bodies import halted_since, money
from stratvector.services.gateway.live import LiveSession
from stratvector.services.gateway.staleness import flat_since, stale_value_at_risk


class ValueAtRiskShape(Shape):
    """By Monte Carlo: positive losses, fractions of equity. as_of : the close it is about.

    stale : why it is not of the account as it stands, empty when it is.
    """

    as_of: Time
    horizon_days: float
    var_95: Figure
    cvar_95: Figure
    simulations: int
    stale: str


class HaltShape(Shape):
    """A run of closes at which a breaker was tripped: drawdown_halt or daily_loss.

    since : the close that tripped it. until : the first close without it, null while it lasts.
    flat_since : from when no position was left. value, limit : fractions; the fall at `since`,
    below 0, and the limit that it reached.
    """

    rule: str
    since: Time
    until: Time | None
    flat_since: Time | None
    closes: int
    value: Figure
    limit: Figure


class DriftShape(Shape):
    """One model against its reference. score : 0 to 1, null for a reason."""

    model: str
    close_time: Time | None
    score: Figure
    reason: str


class Summary(Shape):
    """Money in USD; total_return, drawdowns, VaR and CVaR are fractions, drawdowns 0 or below.

    max_drawdown : of equity at every close. halted_since : the close from which a drawdown has
    halted the portfolio, null while none does. flat_since : the close whose fills left no
    position. halts : all so far. unavailable : by service or figure, why it is missing or stale.
    """

    portfolio: str
    run: str
    close_time: Time | None
    equity: DecimalText
    cash: DecimalText
    initial_cash: DecimalText
    pnl: DecimalText
    pnl_percent: float
    total_return: float
    drawdown: float
    max_drawdown: float
    gross_exposure: DecimalText | None
    halted: bool | None
    reduce_only: bool | None
    halted_since: Time | None
    flat_since: Time | None
    halts: list[HaltShape]
    closes: int
    orders: int
    fills: int
    var_95: Figure
    cvar_95: Figure
    value_at_risk: ValueAtRiskShape | None
    drift: list[DriftShape]
    unavailable: dict[str, str]


async def summarised(context: PortfolioContext) -> Summary:
    """Now. Raises PeerError when the ledger does not answer."""
    status, live = await context.ledger.status(), context.live
    unavailable: dict[str, str] = {}
    risk = await _risk(context, unavailable)
    known = None if risk is None else risk.value_at_risk
    start = live.portfolio.initial_cash
    equity = start if status.equity is None else status.equity
    gain = float(equity / start) - 1.0
    decision = live.decision
    unavailable |= {f"bars of {name}": "absent at the newest close" for name in live.absent}
    return Summary(
        portfolio=status.portfolio,
        run=live.portfolio.run,
        close_time=time_of(status.last_close),
        equity=equity,
        cash=start if status.cash is None else status.cash,
        initial_cash=start,
        pnl=equity - start,
        pnl_percent=100.0 * gain,
        total_return=gain,
        drawdown=live.curve.drawdown,
        max_drawdown=live.curve.max_drawdown,
        gross_exposure=None if decision is None else money(decision.gross_exposure),
        halted=None if decision is None else decision.halted,
        reduce_only=None if decision is None else decision.reduce_only,
        halted_since=halted_since(live.account),
        flat_since=time_of(flat_since(live)),
        halts=[HaltShape.model_validate(halt.document()) for halt in live.account.halts],
        closes=status.closes,
        orders=status.orders,
        fills=status.fills,
        var_95=None if known is None else figure(known.var_95),
        cvar_95=None if known is None else figure(known.cvar_95),
        value_at_risk=None if known is None else _value_at_risk(live, known),
        drift=await _drift(context, unavailable),
        unavailable=unavailable,
    )


async def _risk(context: PortfolioContext, unavailable: dict[str, str]) -> RiskState | None:
    try:
        state = await context.risk.portfolio()
    except PeerError as error:
        unavailable["risk"] = str(error)
        return None
    known = state.value_at_risk
    if trouble := state.trouble or (
        "" if known is None else stale_value_at_risk(context.live, known)
    ):
        unavailable["value_at_risk"] = trouble
    return state


async def _drift(context: PortfolioContext, unavailable: dict[str, str]) -> list[DriftShape]:
    try:
        scores = await context.drift.scores()
    except PeerError as error:
        unavailable["drift"] = str(error)
        return []
    return [drift_shape(score) for score in scores.values()]


def drift_shape(score: Score) -> DriftShape:
    """A score on its way out."""
    return DriftShape(
        model=score.model,
        close_time=time_of(score.close_time),
        score=figure(score.score),
        reason=score.reason,
    )


def _value_at_risk(live: LiveSession, known: ValueAtRisk) -> ValueAtRiskShape:
    return ValueAtRiskShape(
        as_of=time_of(known.as_of) or "",
        horizon_days=known.horizon_days,
        var_95=figure(known.var_95),
        cvar_95=figure(known.cvar_95),
        simulations=known.simulations,
        stale=stale_value_at_risk(live, known),
    )
