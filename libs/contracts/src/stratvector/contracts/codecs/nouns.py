"""The nouns of the flow beside orders, one payload each: content, its message, its rules."""

from dataclasses import dataclass

from stratvector.contracts.codecs.derived import derived, unique
from stratvector.contracts.codecs.payload import Payload, refuse_nameless
from stratvector.contracts.v1 import (
    bars_pb2,
    chapters_pb2,
    fills_pb2,
    owner_pb2,
    positions_pb2,
    signals_pb2,
)
from stratvector.trading.bars import ClosedBars
from stratvector.trading.chapters import FIRST, Chapter, Opened
from stratvector.trading.fills import FillsReport
from stratvector.trading.ledger import Positions
from stratvector.trading.meaning.bars import check_bars
from stratvector.trading.meaning.fills import check_report
from stratvector.trading.meaning.positions import check_positions
from stratvector.trading.meaning.signals import check_signals
from stratvector.trading.signals import Signals


@dataclass(frozen=True)
class Owner:
    """Who writes a lane from here on, published before anything else of the new owner's.

    instance : unique per start of a process. epoch : one more than that of the owner before.
    engine_hash : of the engine that it computes with, empty where it computes with none.
    """

    instance: str
    epoch: int
    engine_hash: str = ""


def _check_chapter(chapter: Chapter) -> None:
    if not chapter.number:
        raise ValueError("number is 0; chapters are counted from 1")
    unique("bars", [(bars.universe, bars.hash) for bars in chapter.bars])
    unique("gone", [(one.universe, str(one.versions)) for one in chapter.gone])
    for bars in chapter.bars:
        refuse_nameless(bars, ("universe", "hash"))
    for gone in chapter.gone:
        refuse_nameless(gone, ("universe",))
    if (chapter.number == FIRST) != (chapter.carried is None):
        raise ValueError(f"chapter {chapter.number} must carry a book; only the first one has none")


def _check_opened(opened: Opened) -> None:
    if opened.number <= FIRST:
        raise ValueError(f"number is {opened.number}; the chapters after the first one are opened")


_BARS = Payload(
    "bars", derived(ClosedBars, bars_pb2.ClosedBars), ("universe", "timeframe"), check_bars
)
_CHAPTERS = Payload(
    "chapters",
    derived(Chapter, chapters_pb2.Chapter),
    ("run", "portfolio", "engine_hash", "document"),
    received=_check_chapter,
    sent=_check_chapter,
)
_OPENED = Payload(
    "orders",
    derived(Opened, chapters_pb2.Opened),
    ("portfolio", "chapter_id"),
    received=_check_opened,
    sent=_check_opened,
)
_FILLS = Payload(
    "fills", derived(FillsReport, fills_pb2.FillsReport), ("portfolio", "account"), check_report
)
_OWNER = Payload("owner", derived(Owner, owner_pb2.Owner), ("instance",))
_POSITIONS = Payload(
    "positions", derived(Positions, positions_pb2.Positions), ("portfolio",), check_positions
)
_SIGNALS = Payload(
    "signals", derived(Signals, signals_pb2.Signals), ("portfolio", "model"), check_signals
)


def encode_closed_bars(bars: ClosedBars) -> bytes:
    """The payload of one cross-section. Raises BadMessage."""
    return _BARS.encode(bars)


def decode_closed_bars(payload: bytes) -> ClosedBars:
    """The cross-section in a payload, with arrays of its own. Raises BadMessage."""
    return _BARS.decode(payload)


def encode_chapter(chapter: Chapter) -> bytes:
    """The payload of a chapter. Raises BadMessage."""
    return _CHAPTERS.encode(chapter)


def decode_chapter(payload: bytes) -> Chapter:
    """The chapter in a payload. Raises BadMessage."""
    return _CHAPTERS.decode(payload)


def encode_opened(opened: Opened) -> bytes:
    """The payload of a chapter's opening. Raises BadMessage."""
    return _OPENED.encode(opened)


def decode_opened(payload: bytes) -> Opened:
    """The opening in a payload. Raises BadMessage."""
    return _OPENED.decode(payload)


def encode_fills_report(report: FillsReport) -> bytes:
    """The payload of one report. Raises BadMessage."""
    return _FILLS.encode(report)


def decode_fills_report(payload: bytes) -> FillsReport:
    """The report in a payload. Raises BadMessage."""
    return _FILLS.decode(payload)


def encode_owner(owner: Owner) -> bytes:
    """The payload of an owner's mark. Raises BadMessage."""
    return _OWNER.encode(owner)


def decode_owner(payload: bytes) -> Owner:
    """The owner in a payload. Raises BadMessage."""
    return _OWNER.decode(payload)


def encode_positions(positions: Positions) -> bytes:
    """The payload of a portfolio's holdings. Raises BadMessage."""
    return _POSITIONS.encode(positions)


def decode_positions(payload: bytes) -> Positions:
    """The holdings in a payload, ordered by symbol. Raises BadMessage."""
    return _POSITIONS.decode(payload)


def encode_signals(signals: Signals) -> bytes:
    """The payload of one model's signals. Raises BadMessage."""
    return _SIGNALS.encode(signals)


def decode_signals(payload: bytes) -> Signals:
    """The signals in a payload. Raises BadMessage."""
    return _SIGNALS.decode(payload)
