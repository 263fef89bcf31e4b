"""universes.yaml: symbols that close together, and where their bars come from."""

from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from stratvector.cli.config.sections import Name, Section
from stratvector.trading.instruments import Instrument


class UniverseEntry(Section):
    """One universe. timeframe : None takes system.timeframe. assets : symbol -> underlying, where
    that is not the symbol itself. price_precision : decimals. lot_size : units of one lot.
    """

    symbols: tuple[str, ...] = Field(min_length=1)
    asset_class: Name
    calendar: str
    source: str
    timeframe: str | None = None
    assets: dict[str, str] = Field(default_factory=dict)
    price_precision: int = Field(default=2, ge=0, le=12)
    lot_size: Decimal = Field(default=Decimal(1), gt=0)

    @model_validator(mode="after")
    def _assets_are_of_symbols(self) -> Self:
        for symbol in self.assets:
            if symbol not in self.symbols:
                listed = ", ".join(self.symbols)
                raise ValueError(f"assets names {symbol}, which is not one of {listed}")
        return self

    def instruments(self) -> tuple[Instrument, ...]:
        """The symbols in the engine's words."""
        return tuple(
            Instrument(
                symbol,
                self.assets.get(symbol, symbol),
                self.asset_class,
                self.price_precision,
                self.lot_size,
            )
            for symbol in self.symbols
        )


class UniversesFile(Section):
    """The whole of universes.yaml."""

    universes: dict[Name, UniverseEntry] = Field(default_factory=dict)
