"""system.yaml: the portfolio, its session, its models with their budgets, limits and costs; and
models.yaml: what each model trades, and with which parameters.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from stratvector.config.risk import RiskSection
from stratvector.config.sections import Name, Section
from stratvector.trading.portfolio import Costs


def _instant_text(value: Any) -> Any:
    """YAML turns 2018-01-31 into a date; a moment with a time of day stays one."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value.isoformat() if isinstance(value, date) else value


Instant = Annotated[str, BeforeValidator(_instant_text)]


class SystemSection(Section):
    """What runs. timeframe : of every universe that names none. benchmark : what results are
    compared with: a symbol of a configured universe, or a file of one symbol's bars; None buys all
    traded symbols in equal parts and holds them. risk_free_rate : effective, fraction per year.
    """

    mode: Literal["backtest", "replay", "paper", "live"] = "replay"
    portfolio: Name = "main"
    account: Name = "simulated"
    backtest_initial_nav: Decimal = Field(default=Decimal("100000.00"), gt=0)
    timeframe: str = "H4"
    benchmark: str | None = None
    risk_free_rate: float = Field(default=0.0, gt=-1, strict=True)


class AccountSection(Section):
    """One of several broker accounts. initial_cash : base currency. universes : its own."""

    initial_cash: Decimal = Field(gt=0)
    universes: tuple[str, ...] = Field(min_length=1)


class SessionSection(Section):
    """Dates or times in UTC; an end that is a date includes that day. data_quality : whether bars
    with flaws are run with a caveat or refused.
    """

    start: Instant
    end: Instant
    data_quality: Literal["caveat", "strict"] = "caveat"


class ClockSection(Section):
    """For tests: the run's UTC was `origin` at the machine's UTC `at`, and `rate` seconds have
    passed in it for each of the machine's since.
    """

    origin: Instant
    at: Instant
    rate: float = Field(gt=0, le=100_000)


class ModelEntry(Section):
    """A model of the portfolio. status : its stage, which seeds the model registry once."""

    name: str
    version: str | None = None
    status: Literal["research", "paper", "candidate", "live"] = "research"
    budget_fraction: float = Field(ge=0, le=1, strict=True)


class CostsSection(Section):
    """What a simulated fill costs, fractions."""

    commission: float = Field(default=0.001, ge=0, lt=1, strict=True)
    slippage: float = Field(default=0.0005, ge=0, lt=1, strict=True)
    volume_limit: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None

    def costs(self) -> Costs:
        """The costs in the engine's words."""
        return Costs(self.commission, self.slippage, self.volume_limit)


ONE_ACCOUNT = ("account", "backtest_initial_nav")
TOP_KEYS = ("backtest_initial_nav", "timeframe", "benchmark", "risk_free_rate")


class SystemFile(Section):
    """The whole of system.yaml. accounts : where the portfolio trades at several, instead of
    system.account and system.backtest_initial_nav; the first is the leading one. sources : by
    universe, instead of the one in universes.yaml, and of what belongs to it there: how files are
    read, price grid and lots. on_removal : by model that is removed from a run, whether what it
    holds is sold, as it is of those that are not named, or kept by the model `manual`.
    """

    system: SystemSection = Field(default_factory=SystemSection)
    accounts: dict[Name, AccountSection] = Field(default_factory=dict)
    session: SessionSection | None = None
    sources: dict[str, str] = Field(default_factory=dict)
    clock: ClockSection | None = None
    models: tuple[ModelEntry, ...] = Field(min_length=1)
    on_removal: dict[Name, Literal["sell", "manual"]] = Field(default_factory=dict)
    risk: RiskSection = Field(default_factory=RiskSection)
    costs: CostsSection = Field(default_factory=CostsSection)

    @model_validator(mode="before")
    @classmethod
    def _system_keys_at_the_top(cls, given: Any) -> Any:
        """What is named in TOP_KEYS may stand beside `system` as well as in it."""
        if not isinstance(given, dict) or not isinstance(given.get("system", {}), dict):
            return given
        moved = {k: given[k] for k in TOP_KEYS if k in given}
        for key in moved:
            if key in given.get("system", {}):
                raise ValueError(f"{key} stands both at the top and in system; keep one")
        rest = {k: v for k, v in given.items() if k not in moved}
        return rest | {"system": given.get("system", {}) | moved} if moved else given

    @model_validator(mode="after")
    def _one_form_of_accounts(self) -> Self:
        given = [key for key in ONE_ACCOUNT if key in self.system.model_fields_set]
        if self.accounts and given:
            raise ValueError(
                f"accounts stands beside {given[0]}, which names the one account of a portfolio "
                "that has no more; keep one of both"
            )
        return self


class ModelSettings(Section):
    """One model. strategy : a registered id, `package.module:Class` or `path/file.py:name`, which
    starts from the file that says so; None is the one registered under the model's name.
    asset_classes : what its universe may hold. active : False leaves it out.
    """

    strategy: str | None = Field(default=None, min_length=1)
    universe: str
    asset_classes: tuple[str, ...] = ()
    active: bool = True
    parameters: dict[str, Any] = Field(default_factory=dict)

    def effective(self) -> dict[str, Any]:
        """As JSON values; a strategy stands there only where one is named."""
        return self.model_dump(mode="json", exclude={"strategy"} if self.strategy is None else None)


class ModelsFile(Section):
    """The whole of models.yaml."""

    models: dict[str, ModelSettings] = Field(default_factory=dict)
