"""What a strategy process knows of one model, for whoever asks or scrapes."""

from dataclasses import dataclass

from stratvector.trading.signals import SignalRow


@dataclass(frozen=True)
class ModelState:
    """As of the newest signals, adopted or published. strategy, version : of the code.

    close_time : of these signals, ns UTC, None before the first. rows : theirs.
    """

    model: str
    strategy: str
    version: str
    universe: str
    symbols: tuple[str, ...]
    budget_fraction: float
    close_time: int | None
    rows: tuple[SignalRow, ...]
