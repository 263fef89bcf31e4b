"""What a user configures: universes, models, budgets, limits and costs of one portfolio."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import InitVar, dataclass, field, replace
from decimal import Decimal
from numbers import Real

from stratvector.trading.instruments import Instrument
from stratvector.trading.nearest import suggestion
from stratvector.trading.roles import MANUAL, Role, check_fates
from stratvector.trading.runs import FIRST_REPLAY, check_run

TOKEN = re.compile(r"[A-Za-z0-9_-]+")  # part of a subject, and of a key of the key-value store
CASH_RULES = ("margin", "strict")
NO_TRADE_BAND = (
    "no_trade_band is no longer read: rebalance_band (a part of what a symbol's models want or "
    "hold) and minimum_order_notional (base currency) take its place"
)


@dataclass(frozen=True)
class Universe:
    """Symbols that close together: one calendar, one timeframe, one `bars` lane.

    version : counted from 1; another list of symbols is the next one, with bars of its own.
    account : the name of the one that it trades at; in a portfolio of one account it may be left
    out, and is that one. closing : those of its symbols that are wanted no more: no model wants
    them, and what is held is sold. No document says `version` or `closing`; a chapter does, see
    `versions`.
    """

    name: str
    timeframe: str
    calendar: str
    instruments: tuple[Instrument, ...]
    version: int = 1
    account: str = ""
    closing: tuple[str, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols in config order."""
        return tuple(i.symbol for i in self.instruments)


@dataclass(frozen=True)
class ModelAllocation:
    """A model of the portfolio: the universe that it trades and its share of equity.

    role : no document names any but active ones; a chapter does, see `closing`. Its universe is
    empty once that has gone too: then it holds nothing, and has its line in the books alone. That
    of `manual` is empty as well: it may hold symbols of any.
    """

    name: str
    universe: str
    budget_fraction: float
    role: Role = Role.ACTIVE


@dataclass(frozen=True)
class RiskLimits:
    """Caps as fractions of equity; None is no cap. Which of them scale and which deny:
    docs/data-model.md.

    position : one model in one symbol. symbol : all models in one symbol. asset : one underlying
    over its symbols. class_caps : per asset class, by its exact name. invested : sum of long
    exposures. gross : sum of absolute exposures. capital : absolute exposure in the base currency.
    daily_loss : no new risk for the rest of the UTC date. drawdown_trigger, drawdown_halt :
    fractions below the peak at which targets are multiplied by derisking_factor, and at which the
    book is flattened and latched. value_at_risk : one-day loss at 95 % above which budgets shrink
    in proportion, where a Monte Carlo service is asked. rebalance_band : smallest change of a
    symbol, as a part of what its models want or hold in it, whichever is more.
    minimum_order_notional : smallest change in the base currency. Exits and reductions that a
    breaker forces are exempt from both. cash :
    "margin" lets cash go below zero, "strict" cuts buys so that it never does: they fill at their
    reference price plus cash_collar (a fraction) at most, and are ordered as far as cash affords
    that.
    """

    position: float | None = None
    symbol: float | None = None
    asset: float | None = None
    class_caps: dict[str, float | None] = field(default_factory=dict)
    invested: float | None = None
    gross: float | None = None
    capital: float | None = None
    daily_loss: float | None = None
    drawdown_trigger: float | None = None
    drawdown_halt: float | None = None
    derisking_factor: float = 0.5
    value_at_risk: float | None = None
    rebalance_band: float = 0.0
    minimum_order_notional: float = 0.0
    cash: str = "margin"
    cash_collar: float = 0.05
    no_trade_band: InitVar[float | None] = None

    def __post_init__(self, no_trade_band: float | None) -> None:
        if no_trade_band is not None:
            raise ValueError(NO_TRADE_BAND)
        for name in _FRACTIONS:
            _check_cap(f"risk limit {name}", getattr(self, name))
        for name, value in self.class_caps.items():
            _check_cap(f"risk limit class_caps[{name!r}]", value)
        for name in _NUMBERS:
            _check_number(f"risk limit {name}", getattr(self, name))
        _check_order("position", self.position, "symbol", self.symbol)
        _check_order("symbol", self.symbol, "asset", self.asset)
        _check_order("drawdown_trigger", self.drawdown_trigger, "drawdown_halt", self.drawdown_halt)
        if not 0 <= self.derisking_factor <= 1:
            raise ValueError(
                f"risk limit derisking_factor is {self.derisking_factor}; it must be 0 to 1"
            )
        if self.cash not in CASH_RULES:
            raise ValueError(f"risk limit cash is {self.cash!r}; it must be margin or strict")
        if not 0 < self.cash_collar <= 1:
            raise ValueError(
                f"risk limit cash_collar is {self.cash_collar}; 0 < cash_collar <= 1 must hold"
            )
        if not 0 <= self.rebalance_band < 1:
            raise ValueError(
                f"risk limit rebalance_band is {self.rebalance_band}; "
                "0 <= rebalance_band < 1 must hold"
            )
        if not self.minimum_order_notional >= 0:
            raise ValueError(
                f"risk limit minimum_order_notional is {self.minimum_order_notional}; "
                "it must be at least 0"
            )


_FRACTIONS = (
    "position",
    "symbol",
    "asset",
    "invested",
    "gross",
    "capital",
    "daily_loss",
    "drawdown_trigger",
    "drawdown_halt",
    "value_at_risk",
)


_NUMBERS = ("derisking_factor", "rebalance_band", "minimum_order_notional", "cash_collar")


def _check_number(what: str, value: object) -> None:
    """Refuse what is no finite number: NaN passes no comparison, and True is 1."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise ValueError(f"{what} is {value!r}; it must be a number")
    # A Decimal's signalling NaN can't even be asked by `math`.
    finite = value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)
    if not finite:
        raise ValueError(f"{what} is {value}; it must be finite")


def _check_cap(what: str, value: float | None) -> None:
    """None is no cap; anything else must be a number that can cap something."""
    if value is None:
        return
    _check_number(what, value)
    if not value > 0:
        raise ValueError(f"{what} is {value}; it must be above 0")


def _check_order(low_name: str, low: float | None, high_name: str, high: float | None) -> None:
    if low is not None and high is not None and not low <= high:
        raise ValueError(
            f"risk limit {low_name} is {low}, above {high_name} {high}; "
            f"{low_name} <= {high_name} must hold"
        )


@dataclass(frozen=True)
class Costs:
    """What a simulated fill costs.

    commission : fraction of notional. slippage : adverse fraction of the open.
    volume_limit : largest fraction of the filling bar's volume, None is no cap.
    """

    commission: float = 0.001
    slippage: float = 0.0005
    volume_limit: float | None = None

    def __post_init__(self) -> None:
        for name in ("commission", "slippage", "volume_limit"):
            value = getattr(self, name)
            if value is not None:
                _check_number(name, value)
        if not 0 <= self.commission < 1:
            raise ValueError(f"commission is {self.commission}; 0 <= commission < 1 must hold")
        if not 0 <= self.slippage < 1:
            raise ValueError(f"slippage is {self.slippage}; 0 <= slippage < 1 must hold")
        if self.volume_limit is not None and not 0 < self.volume_limit <= 1:
            raise ValueError(
                f"volume_limit is {self.volume_limit}; 0 < volume_limit <= 1 must hold"
            )


def check_classes(held: Iterable[str], caps: Iterable[str]) -> None:
    """Refuse a cap whose class nobody holds, and classes that differ by case alone: names compare
    exactly, so that one of them would slip the other's cap. Raises ValueError.

    held : the asset classes of all instruments. caps : the classes that have a cap.
    """
    classes = list(dict.fromkeys(held))
    spelled = defaultdict(list)
    for name in classes:
        spelled[name.strip().casefold()].append(name)
    for names in spelled.values():
        if len(names) > 1:
            listed = " and ".join(map(repr, names))
            raise ValueError(f"asset classes {listed} differ by case or spaces alone; spell one")
    for name in caps:
        if name not in classes:
            raise ValueError(
                f"class cap {name!r} caps no asset class of the portfolio; "
                f"{suggestion(name, classes)}"
            )


@dataclass(frozen=True)
class Account:
    """A broker account of a portfolio, and what it begins with, base currency."""

    name: str
    initial_cash: Decimal

    def __post_init__(self) -> None:
        if not TOKEN.fullmatch(self.name):
            raise ValueError(
                f"account {self.name!r} has another name than letters, digits, _ and - make"
            )
        _check_number("initial_cash", self.initial_cash)
        if not self.initial_cash > 0:
            raise ValueError(f"initial_cash is {self.initial_cash}; it must be above 0")


@dataclass(frozen=True)
class Portfolio:
    """One portfolio on one broker account or on several. Symbols are numbered over the universes in
    config order, account by account, so that fills of all accounts one after the other are in the
    order of the symbols.

    accounts : the first is the leading one, whose lane judges which bars a close has, see `ticks`.
    run : under which it lives in the log, see `runs`.
    on_removal : by model that was or is to be removed, what becomes of what it holds: `sell`, which
    holds of those that are not named, or `manual`: the pseudo-model of that name keeps it. By
    `manual` itself `sell`, where it is to keep nothing any more.
    """

    name: str
    accounts: tuple[Account, ...]
    universes: tuple[Universe, ...]
    models: tuple[ModelAllocation, ...]
    limits: RiskLimits = field(default_factory=RiskLimits)
    costs: Costs = field(default_factory=Costs)
    run: str = FIRST_REPLAY
    on_removal: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_run(self.run)
        self._place_universes()
        names = [u.name for u in self.universes]
        for model in self.models:
            has_gone = model.role is not Role.ACTIVE and not model.universe
            if model.universe not in names and not has_gone:
                raise ValueError(
                    f"model {model.name} trades universe {model.universe!r}; "
                    f"the portfolio has {names}"
                )
            _check_number(f"budget_fraction of model {model.name}", model.budget_fraction)
            if not 0 <= model.budget_fraction <= 1:
                raise ValueError(
                    f"model {model.name} has budget_fraction {model.budget_fraction}; "
                    "it must be 0 to 1"
                )
        for what, values in (
            ("account", self.account_names),
            ("symbol", self.symbols),
            ("model", tuple(m.name for m in self.models)),
        ):
            twice = sorted(value for value, count in Counter(values).items() if count > 1)
            if twice:
                raise ValueError(
                    f"{what} {twice[0]!r} is configured twice in portfolio {self.name}"
                )
        self._check_removals()
        check_classes((i.asset_class for i in self.instruments), self.limits.class_caps)

    def _check_removals(self) -> None:
        """Nobody configures the model `manual`, and of a removed one two things may become."""
        if any(model.name == MANUAL for model in self.active):
            raise ValueError(
                f"a model is named {MANUAL}, which is the one that keeps what is not any model's; "
                "give it another name"
            )
        check_fates(self.on_removal)

    def _place_universes(self) -> None:
        """Each at an account that there is, each account with a universe or more."""
        if not self.accounts:
            raise ValueError(f"portfolio {self.name} has no account; it needs one or more")
        names = self.account_names
        if len(names) == 1:
            placed = (u if u.account else replace(u, account=names[0]) for u in self.universes)
            object.__setattr__(self, "universes", tuple(placed))
        for universe in self.universes:
            if universe.account not in names:
                raise ValueError(
                    f"universe {universe.name} trades at account {universe.account!r}; "
                    f"the portfolio has {list(names)}"
                )
        places = [names.index(universe.account) for universe in self.universes]
        if places != sorted(places):
            raise ValueError(
                f"universes of portfolio {self.name} stand in another order than their accounts; "
                f"list them account by account: {', '.join(names)}"
            )
        idle = set(names) - {universe.account for universe in self.universes}
        if len(names) > 1 and idle:
            raise ValueError(
                f"no universe trades at account {sorted(idle)[0]!r} of portfolio {self.name}; "
                "each account needs one or more"
            )

    @property
    def initial_cash(self) -> Decimal:
        """Of all accounts together, base currency."""
        first, *others = (account.initial_cash for account in self.accounts)
        return sum(others, first)

    @property
    def account_names(self) -> tuple[str, ...]:
        """Every account, the leading one first."""
        return tuple(account.name for account in self.accounts)

    @property
    def account_of(self) -> Mapping[str, str]:
        """Symbol -> the account that it is traded at."""
        return {i.symbol: u.account for u in self.universes for i in u.instruments}

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Every instrument, in the order of the engine's symbol index."""
        return tuple(i for u in self.universes for i in u.instruments)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol, in the order of the engine's symbol index."""
        return tuple(i.symbol for i in self.instruments)

    @property
    def closing_symbols(self) -> tuple[str, ...]:
        """Those that are held or ordered still and wanted no more, in the portfolio's order."""
        closing = {symbol for u in self.universes for symbol in u.closing}
        return tuple(symbol for symbol in self.symbols if symbol in closing)

    @property
    def model_names(self) -> tuple[str, ...]:
        """Every model, in the order of the engine's model index."""
        return tuple(m.name for m in self.models)

    def signalling(self, universes: Container[str]) -> tuple[ModelAllocation, ...]:
        """The models that send signals when these universes close."""
        return tuple(m for m in self.active if m.universe in universes)

    @property
    def active(self) -> tuple[ModelAllocation, ...]:
        """The models that send signals."""
        return tuple(model for model in self.models if model.role is Role.ACTIVE)

    def universe(self, name: str) -> Universe:
        """A universe by name. Raises KeyError."""
        return {u.name: u for u in self.universes}[name]

    def columns(self, universe: str) -> slice:
        """The engine's symbol indices of a universe: they are adjacent."""
        first = 0
        for candidate in self.universes:
            if candidate.name == universe:
                return slice(first, first + len(candidate.instruments))
            first += len(candidate.instruments)
        raise KeyError(universe)
