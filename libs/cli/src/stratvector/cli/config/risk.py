"""risk: the limits of a portfolio, in system.yaml or as a profile of config/risk/.

Fractions of equity; null is no limit. Position is one model in one symbol, symbol all models in
one symbol, asset one underlying over its symbols.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from stratvector.cli.config.sections import Name, Section
from stratvector.trading.portfolio import NO_TRADE_BAND, RiskLimits

Limit = Annotated[float, Field(gt=0)] | None

NOT_YET = {
    "stop_loss": "protective stops",
    "take_profit": "protective stops",
    "stop_loss_required": "protective stops",
    "trailing_stop": "protective stops",
    "kill_switch": "the kill switch",
}


class RiskSection(Section):
    """Limits. profile : a file of config/risk/ whose keys count where none is given here."""

    profile: Name | None = None
    per_position_cap: Limit = None
    per_symbol_cap: Limit = None
    per_asset_cap: Limit = 0.40
    crypto_class_cap: Limit = 0.20
    class_caps: dict[str, Limit] = Field(default_factory=dict)
    invested_cap: Limit = None
    max_leverage: Limit = 1.2
    capital_cap: Limit = None
    daily_loss: Limit = None
    drawdown_trigger: Limit = 0.15
    drawdown_halt: Limit = 0.20
    value_at_risk_cap: Limit = None
    derisking_factor: float = Field(default=0.50, ge=0, le=1)
    rebalance_band: float = Field(default=0.02, ge=0, lt=1)
    minimum_order_notional: float = Field(default=10.0, ge=0)
    cash: Literal["margin", "strict"] = "margin"
    cash_collar: float = Field(default=0.05, gt=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_is_not_built(cls, given: Any) -> Any:
        """A limit that nobody enforces must not look as if somebody did."""
        for key in given if isinstance(given, dict) else ():
            if key == "no_trade_band":
                raise ValueError(NO_TRADE_BAND)
            if key in NOT_YET:
                what = NOT_YET[key]
                raise ValueError(
                    f"{key} is {given[key]!r}, but {what} cannot be configured yet: remove the key"
                )
        return given

    @model_validator(mode="after")
    def _wider_is_not_smaller(self) -> Self:
        ordered = (
            ("per_position_cap", "per_symbol_cap"),
            ("per_symbol_cap", "per_asset_cap"),
            ("drawdown_trigger", "drawdown_halt"),
        )
        for low_key, high_key in ordered:
            low, high = getattr(self, low_key), getattr(self, high_key)
            if low is not None and high is not None and not low <= high:
                raise ValueError(
                    f"{low_key} is {low} and {high_key} is {high}; "
                    f"{low_key} <= {high_key} must hold"
                )
        if "crypto" in self.class_caps:
            raise ValueError("class_caps.crypto is given; write crypto_class_cap instead")
        return self

    def limits(self) -> RiskLimits:
        """The limits in the engine's words."""
        classes = {**self.class_caps, "crypto": self.crypto_class_cap}
        return RiskLimits(
            position=self.per_position_cap,
            symbol=self.per_symbol_cap,
            asset=self.per_asset_cap,
            class_caps={name: cap for name, cap in classes.items() if cap is not None},
            invested=self.invested_cap,
            gross=self.max_leverage,
            capital=self.capital_cap,
            daily_loss=self.daily_loss,
            drawdown_trigger=self.drawdown_trigger,
            drawdown_halt=self.drawdown_halt,
            derisking_factor=self.derisking_factor,
            value_at_risk=self.value_at_risk_cap,
            rebalance_band=self.rebalance_band,
            minimum_order_notional=self.minimum_order_notional,
            cash=self.cash,
            cash_collar=self.cash_collar,
        )


def combined(profile: RiskSection, own: RiskSection) -> dict[str, Any]:
    """The keys of both; one that is given in the portfolio's own section takes its place."""
    return profile.model_dump(exclude_unset=True) | own.model_dump(exclude_unset=True)
