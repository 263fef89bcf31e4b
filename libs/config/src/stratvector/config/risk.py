"""risk: the limits of a portfolio, in system.yaml or as a profile of config/risk/.

Fractions of equity; null is no limit. Position is one model in one symbol, symbol all models in
one symbol, asset one underlying over its symbols.
"""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from stratvector.config.bad_config import BadConfig, BadValue
from stratvector.config.sections import Name, Section
from stratvector.trading.nearest import suggestion
from stratvector.trading.portfolio import NO_TRADE_BAND, RiskLimits, check_classes

Limit = Annotated[float, Field(gt=0, strict=True)] | None  # strict: `true` is no 1.0
CRYPTO = "crypto"

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
    derisking_factor: float = Field(default=0.50, ge=0, le=1, strict=True)
    rebalance_band: float = Field(default=0.02, ge=0, lt=1, strict=True)
    minimum_order_notional: float = Field(default=10.0, ge=0, strict=True)
    cash: Literal["margin", "strict"] = "margin"
    cash_collar: float = Field(default=0.05, gt=0, le=1, strict=True)

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
        if CRYPTO in self.class_caps:
            raise ValueError("class_caps.crypto is given; write crypto_class_cap instead")
        return self

    @property
    def caps(self) -> dict[str, float]:
        """Every class with a cap."""
        classes = {**self.class_caps, CRYPTO: self.crypto_class_cap}
        return {name: cap for name, cap in classes.items() if cap is not None}

    def limits(self, held: Collection[str]) -> RiskLimits:
        """The limits in the engine's words. held : the portfolio's asset classes; a cap of another
        one has nothing to cap (`check_caps` has refused those that nothing is configured for).
        """
        return RiskLimits(
            position=self.per_position_cap,
            symbol=self.per_symbol_cap,
            asset=self.per_asset_cap,
            class_caps={name: cap for name, cap in self.caps.items() if name in held},
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


def check_caps(
    paths: tuple[Path, Path], risk: RiskSection, own: RiskSection, held: Mapping[str, str]
) -> None:
    """Refuse a class cap that no universe is under, and a class that slips the cap of crypto.

    paths : of system.yaml and universes.yaml. own : the limits of system.yaml alone, without those
    of its profile. held : the asset class of each configured universe. Raises BadValue.
    crypto_class_cap need not have crypto to cap unless system.yaml itself gives it: its default and
    the profiles are for every portfolio.
    """
    classes = list(held.values())
    caps = dict(risk.caps)
    if "crypto_class_cap" not in own.model_fields_set and CRYPTO not in classes:
        caps.pop(CRYPTO, None)
    for name, cap in caps.items():
        if name not in classes:
            key = "crypto_class_cap" if name == CRYPTO else f"class_caps.{name}"
            rule = f"no universe holds asset class {name}; {suggestion(name, classes)}"
            raise BadValue(paths[0], f"risk.{key}", cap, rule)
    for universe, name in held.items():
        if CRYPTO in risk.caps and name not in risk.caps and _is_near_crypto(name):
            rule = (
                f"crypto_class_cap caps crypto alone: write crypto, or give "
                f"risk.class_caps.{name} or crypto_class_cap: null"
            )
            raise BadValue(paths[1], f"universes.{universe}.asset_class", name, rule)
    try:
        check_classes(classes, ())
    except ValueError as error:
        raise BadConfig(f"{paths[1]}: {error}") from None


def _is_near_crypto(name: str) -> bool:
    lowered = name.casefold()
    return lowered.startswith(CRYPTO) or bool(get_close_matches(lowered, [CRYPTO], cutoff=0.8))
