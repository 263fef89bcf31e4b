"""portfolio_shapes: the answers of /api/portfolio."""

from stratvector.services.gateway.api.values import DecimalText, Figure, Shape, Time


class PortfolioUniverse(Shape):
    """Symbols that close together."""

    name: str
    timeframe: str
    symbols: list[str]
    account: str


class PortfolioModel(Shape):
    """A model and its share. budget_fraction : of equity."""

    name: str
    universe: str
    budget_fraction: float


class PortfolioAccount(Shape):
    """A broker account and what it began with, base currency."""

    name: str
    initial_cash: DecimalText


class PortfolioShape(Shape):
    """A portfolio, and how far its record has come. Base currency USD."""

    name: str
    run: str
    accounts: list[PortfolioAccount]
    currency: str = "USD"
    initial_cash: DecimalText
    universes: list[PortfolioUniverse]
    models: list[PortfolioModel]
    closes: int
    first_close: Time | None
    last_close: Time | None


class HeldPosition(Shape):
    """One symbol. quantity : negative = short. weight : of equity. models : quantity of each.

    entry_price : average cost of what is held, slippage included, to 15 digits. unrealised_pnl : at
    the mark, before commission. Both null where fills and record are of different closes.
    """

    symbol: str
    asset_class: str
    quantity: DecimalText
    entry_price: DecimalText | None
    price: DecimalText | None
    price_time: Time | None
    value: DecimalText | None
    unrealised_pnl: DecimalText | None
    weight: Figure
    models: dict[str, DecimalText]


class PositionsAnswer(Shape):
    """What is held. close_time : that it belongs to, null = there was none yet."""

    close_time: Time | None
    positions: list[HeldPosition]


class ModelShare(Shape):
    """One model's share since the start: profit net of commission."""

    model: str
    profit: DecimalText
    commission: DecimalText


class AccountMoney(Shape):
    """What one broker account has."""

    account: str
    cash: DecimalText


class EquityClose(Shape):
    """The portfolio after a close. drawdown_factor : on all targets, 0 to 1."""

    close_time: Time
    equity: DecimalText
    cash: DecimalText
    gross_exposure: DecimalText | None
    drawdown_factor: Figure
    halted: bool
    reduce_only: bool
    models: list[ModelShare]
    accounts: list[AccountMoney]


class EquityPage(Shape):
    """A page of closes. next_cursor : null = this was the last."""

    closes: list[EquityClose]
    next_cursor: str | None


class ModelResultShape(Shape):
    """What one model has earned, net of the commission that it paid."""

    model: str
    profit: DecimalText
    commission: DecimalText
    fills: int


class Attribution(Shape):
    """The models' results."""

    models: list[ModelResultShape]
