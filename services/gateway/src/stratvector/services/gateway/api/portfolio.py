"""portfolio: where the account stands, what it holds, and how it came there."""

from decimal import Context as Precision
from decimal import Decimal

from fastapi import APIRouter

from stratvector.services.gateway.api.asking import Context
from stratvector.services.gateway.api.paging import ClosesWanted, PageWanted
from stratvector.services.gateway.api.portfolio_shapes import (
    AccountMoney,
    Attribution,
    EquityClose,
    EquityPage,
    HeldPosition,
    ModelResultShape,
    ModelShare,
    PortfolioAccount,
    PortfolioModel,
    PortfolioShape,
    PortfolioUniverse,
    PositionsAnswer,
)
from stratvector.services.gateway.api.summary import Summary, summarised
from stratvector.services.gateway.api.values import figure, time_of
from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.event_bodies import money
from stratvector.trading.ledger import rounded_money
from stratvector.trading.ledger_answers import EquityRecord, PositionRecord

router = APIRouter(prefix="/api/portfolio", tags=["portfolio"])
ENTRY_DIGITS = Precision(prec=15)  # as many as a price has; an average of prices has no end


@router.get("")
async def get_portfolio(context: Context) -> PortfolioShape:
    """What the portfolio is made of, and how far its record has come."""
    portfolio, status = context.live.portfolio, await context.ledger.status()
    return PortfolioShape(
        name=portfolio.name,
        run=portfolio.run,
        accounts=[
            PortfolioAccount(name=one.name, initial_cash=one.initial_cash)
            for one in portfolio.accounts
        ],
        initial_cash=portfolio.initial_cash,
        universes=[
            PortfolioUniverse(
                name=u.name, timeframe=u.timeframe, symbols=list(u.symbols), account=u.account
            )
            for u in portfolio.universes
        ],
        models=[
            PortfolioModel(name=m.name, universe=m.universe, budget_fraction=m.budget_fraction)
            for m in portfolio.models
        ],
        closes=status.closes,
        first_close=time_of(status.first_close),
        last_close=time_of(status.last_close),
    )


@router.get("/summary")
async def get_summary(context: Context) -> Summary:
    """The account in one look: equity, result, drawdown, risk and drift.

    The ledger must answer. What risk or drift can't tell now is null, and `unavailable` says why.
    """
    return await summarised(context)


@router.get("/positions")
async def get_positions(context: Context) -> PositionsAnswer:
    """What is held after the newest recorded close, at the newest marks."""
    held, status = await context.ledger.positions(), await context.ledger.status()
    return PositionsAnswer(
        close_time=time_of(held.close_time),
        positions=[_position(context, one, status.equity) for one in held.positions],
    )


@router.get("/equity")
async def get_equity(context: Context, asked: PageWanted) -> EquityPage:
    """The account at each close, the oldest first unless `order` says otherwise."""
    page = await context.ledger.equity(asked)
    return EquityPage(closes=[_close(one) for one in page.records], next_cursor=page.cursor or None)


@router.get("/attribution")
async def get_attribution(context: Context, closes: ClosesWanted) -> Attribution:
    """What each model has earned over a range of closes, net of commission; they add up."""
    results = await context.ledger.attribution(closes)
    return Attribution(
        models=[
            ModelResultShape(
                model=one.model, profit=one.profit, commission=one.commission, fills=one.fills
            )
            for one in results
        ]
    )


def _position(
    context: PortfolioContext, one: PositionRecord, equity: Decimal | None
) -> HeldPosition:
    instrument, mark = context.live.instruments[one.symbol], context.live.marks.of(one.symbol)
    quantity = instrument.quantity(one.lots)
    # The value is of the mark itself: values and cash add up to the ledger's equity.
    value = None if mark is None else rounded_money(quantity * Decimal(repr(mark.price)))
    held = context.live.account.holding(one.symbol, one.lots)
    pnl = None if held is None or mark is None else held.unrealised_pnl(quantity, mark.price)
    return HeldPosition(
        symbol=one.symbol,
        asset_class=instrument.asset_class,
        quantity=quantity,
        entry_price=None if held is None else ENTRY_DIGITS.plus(held.entry_price),
        price=None if mark is None else instrument.price(mark.price),
        price_time=None if mark is None else time_of(mark.close_time),
        value=value,
        unrealised_pnl=None if pnl is None else rounded_money(pnl),
        weight=float(value / equity) if value is not None and equity else None,
        models={model: instrument.quantity(lots) for model, lots in one.parts.items()},
    )


def _close(one: EquityRecord) -> EquityClose:
    return EquityClose(
        close_time=time_of(one.close_time) or "",
        equity=one.equity,
        cash=one.cash,
        gross_exposure=money(one.gross_exposure),
        drawdown_factor=figure(one.drawdown_factor),
        halted=one.halted,
        reduce_only=one.reduce_only,
        models=[
            ModelShare(model=m.model, profit=m.equity, commission=m.commission) for m in one.models
        ],
        accounts=[AccountMoney(account=a.account, cash=a.cash) for a in one.accounts],
    )
