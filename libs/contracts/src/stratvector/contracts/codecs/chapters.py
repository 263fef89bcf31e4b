"""chapters: `Chapter`, what a stretch of the log is a function of."""

from itertools import pairwise

from stratvector.contracts.codecs.payload import decoded, encoded, refuse_nameless, unique
from stratvector.contracts.v1 import chapters_pb2
from stratvector.trading.chapters import Chapter, ChapterBars


def encode_chapter(chapter: Chapter) -> bytes:
    """The payload of a chapter. Raises BadMessage."""
    return encoded("chapters", _to_wire, chapter)


def decode_chapter(payload: bytes) -> Chapter:
    """The chapter in a payload. Raises BadMessage."""
    return decoded("chapters", chapters_pb2.Chapter, _from_wire, payload)


def _to_wire(chapter: Chapter) -> chapters_pb2.Chapter:
    wire = chapters_pb2.Chapter()
    wire.portfolio = chapter.portfolio
    wire.number = chapter.number
    wire.engine_hash = chapter.engine_hash
    wire.document = chapter.document
    for bars in chapter.bars:
        wire.bars.add(universe=bars.universe, close_times_ns=bars.close_times, hash=bars.hash)
    _check(wire)
    return wire


def _from_wire(wire: chapters_pb2.Chapter) -> Chapter:
    _check(wire)
    return Chapter(
        portfolio=wire.portfolio,
        number=wire.number,
        engine_hash=wire.engine_hash,
        document=wire.document,
        bars=tuple(
            ChapterBars(one.universe, tuple(one.close_times_ns), one.hash) for one in wire.bars
        ),
    )


def _check(wire: chapters_pb2.Chapter) -> None:
    refuse_nameless(portfolio=wire.portfolio, engine_hash=wire.engine_hash, document=wire.document)
    if not wire.number:
        raise ValueError("number is 0; chapters are counted from 1")
    unique("bars", [(bars.universe, bars.hash) for bars in wire.bars])
    for bars in wire.bars:
        refuse_nameless(universe=bars.universe, hash=bars.hash)
        if any(later <= one for one, later in pairwise(bars.close_times_ns)):
            raise ValueError(f"close times of universe {bars.universe!r} must increase")
