"""universes.yaml: symbols that close together, and where their bars come from."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from stratvector.config.sections import Name, Section
from stratvector.trading.instruments import PRECISION_MAX, Instrument

Precision = Annotated[int, Field(ge=0, le=PRECISION_MAX)]

if TYPE_CHECKING:
    from stratvector.market.read_options import ReadOptions

LIVE = "ccxt:"
LIVE_KEYS = {"deadline_seconds", "venue_urls"}
READING_KEYS = ("columns", "tz", "times", "date_format", "drop", "keep")


class UniverseEntry(Section):
    """One universe. timeframe : None takes system.timeframe. assets : symbol -> underlying, where
    that is not the symbol itself. `READING_KEYS` say how a source that is a file is to be read, as
    in `read_bars`. price_precision : decimals, of all symbols or by symbol; where none are given,
    those that hold every price of the bars. lot_size : units of one lot.
    A source `ccxt:<venue>` is live: price grid and lots are then the venue's. deadline_seconds :
    how long after a close its candles are waited for; twenty leave room for five retries, and for a
    venue of one request a second to be asked for twenty symbols. venue_urls : what stands in place
    of ccxt's `urls["api"]`, such as a mirror or a proxy.
    """

    symbols: tuple[str, ...] = Field(min_length=1)
    asset_class: Name
    calendar: str
    source: str
    timeframe: str | None = None
    assets: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    tz: str | None = None
    times: Literal["close", "open"] = "close"
    date_format: str | None = None
    drop: tuple[str, ...] = ()
    keep: Literal["first", "last"] | None = None
    price_precision: Precision | dict[str, Precision] | None = None
    lot_size: Decimal = Field(default=Decimal(1), gt=0)
    deadline_seconds: float = Field(default=20.0, gt=0, le=3600)
    venue_urls: dict[str, Any] | None = None

    @property
    def venue(self) -> str | None:
        """The venue of a live source; None for recorded bars."""
        return self.source.removeprefix(LIVE) if self.source.startswith(LIVE) else None

    @model_validator(mode="after")
    def _tables_are_of_symbols(self) -> Self:
        given = self.price_precision
        grids = tuple(given) if isinstance(given, dict) else ()
        for key, named in (("assets", tuple(self.assets)), ("price_precision", grids)):
            for symbol in named:
                if symbol not in self.symbols:
                    listed = ", ".join(self.symbols)
                    raise ValueError(f"{key} names {symbol}, which is not one of {listed}")
        return self

    def effective(self) -> dict[str, Any]:
        """Every value that a result is made of: of recorded bars none that only live ones have."""
        return self.model_dump(mode="json", exclude=None if self.venue else LIVE_KEYS)

    def precision_of(self, symbol: str) -> int | None:
        """Decimals of a symbol's prices; None where the bars decide."""
        given = self.price_precision
        return given.get(symbol) if isinstance(given, dict) else given

    def reading(self, timeframe: str) -> "ReadOptions | None":
        """How a file is to be read, None where no key says anything. Raises BadOption."""
        from stratvector.market.read_options import ReadOptions

        given = {key: getattr(self, key) for key in READING_KEYS if key in self.model_fields_set}
        if not given:
            return None
        if self.times == "open":
            given |= {"timeframe": timeframe, "calendar_name": self.calendar}
        return ReadOptions(**given)

    def instruments(self) -> tuple[Instrument, ...]:
        """The symbols in the engine's words."""
        return tuple(
            Instrument(
                symbol,
                self.assets.get(symbol, symbol),
                self.asset_class,
                self.precision_of(symbol),
                self.lot_size,
            )
            for symbol in self.symbols
        )


class UniversesFile(Section):
    """The whole of universes.yaml."""

    universes: dict[Name, UniverseEntry] = Field(default_factory=dict)
