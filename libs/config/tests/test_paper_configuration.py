"""A configuration with mode: paper: live sources, a start and no end, the venue's grid; what can't
be one is refused in a sentence.
"""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from stratvector.config import BadConfig, read_configuration
from stratvector.config.live import live_session_of, live_sources, refuse_no_paper, time_map_of
from stratvector.market.live import Grid
from stratvector.runtime.documents import decode_wish, encode_wish, endless_wish_of
from stratvector.runtime.run_clock import TimeMap

SHIPPED = Path(__file__).parents[3] / "config" / "paper_crypto.yaml"
NOON = 1_700_049_600 * 10**9
STEP = 4 * 3600 * 10**9
GRIDS = {
    "crypto": {"BTC-USD": Grid(1, Decimal("0.00000001")), "ETH-USD": Grid(2, Decimal("0.0001"))}
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped configuration, to be edited."""
    for name in ("paper_crypto.yaml", "models.yaml", "universes.yaml"):
        (tmp_path / name).write_text((SHIPPED.parent / name).read_text())
    return tmp_path


def edited(folder: Path, name: str, old: str, new: str) -> Path:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    return folder / "paper_crypto.yaml"


def test_the_shipped_one_trades_btc_and_eth_on_four_hours_at_kraken() -> None:
    configuration = read_configuration(SHIPPED)
    refuse_no_paper(configuration)
    source = live_sources(configuration)["crypto"]
    assert (source.venue, source.symbols) == ("kraken", ("BTC-USD", "ETH-USD"))
    assert source.timeframe == "4H"
    assert source.deadline_seconds == 20.0
    # Kraken tells the newest 720 candles only.
    assert source.warmup_closes == 60 * 6 < 720
    assert [model.entry.status for model in configuration.traded] == ["paper"]


@pytest.mark.parametrize(
    ("now", "start"),
    [(NOON, NOON + STEP), (NOON - 1, NOON), (NOON + STEP - 1, NOON + STEP)],
)
def test_the_first_close_after_applying_is_the_first_that_trades(now: int, start: int) -> None:
    session = live_session_of(read_configuration(SHIPPED), GRIDS, "paper.7", now)
    assert session.start == start


def test_the_document_has_no_end_and_names_the_source_instead_of_bars() -> None:
    session = live_session_of(read_configuration(SHIPPED), GRIDS, "paper.7", NOON)
    wish = endless_wish_of(session, "somebody", 5)
    read = decode_wish("here", encode_wish(wish)).session()
    assert (read.closes, read.last_close, read.start) == (None, None, NOON + STEP)
    assert read.portfolio.run == "paper.7"
    assert read.time_map is None
    bars = wish.chapter().bars_of("crypto")
    assert (bars.closes, len(bars.hash)) == (0, 64)
    source = read.source("crypto")
    assert source["source"] == "ccxt"
    assert source["load"]["venue"] == "kraken"
    assert source["load"]["warmup_closes"] == 360


def test_prices_and_lots_are_on_the_venues_grid() -> None:
    session = live_session_of(read_configuration(SHIPPED), GRIDS, "paper.7", NOON)
    found = {i.symbol: (i.decimals, i.lot_size) for i in session.portfolio.instruments}
    assert found == {"BTC-USD": (1, Decimal("0.00000001")), "ETH-USD": (2, Decimal("0.0001"))}


def test_the_hash_is_of_venue_symbols_and_timeframe_alone(folder: Path) -> None:
    def hash_of(config: Path) -> str:
        return live_sources(read_configuration(config))["crypto"].hash

    shipped = hash_of(SHIPPED)
    deadline = "    lot_size: 0.0001\n    deadline_seconds: 30"
    assert hash_of(edited(folder, "universes.yaml", "    lot_size: 0.0001", deadline)) == shipped
    assert hash_of(edited(folder, "paper_crypto.yaml", "ccxt:kraken", "ccxt:coinbase")) != shipped


def test_a_mapped_clock_is_in_the_document(folder: Path) -> None:
    clock = 'clock: {origin: "2023-11-15T12:00:00Z", at: "2026-01-01T00:00:10Z", rate: 60}\nmodels:'
    configuration = read_configuration(edited(folder, "paper_crypto.yaml", "models:", clock))
    times = TimeMap(NOON, 1_767_225_610 * 10**9, 60.0)
    assert time_map_of(configuration) == times
    assert times.utc(times.at + 10**9) == NOON + 60 * 10**9
    session = live_session_of(configuration, GRIDS, "paper.1", NOON)
    assert endless_wish_of(session, "somebody", 5).session().time_map == times


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("paper_crypto.yaml", "mode: paper", "mode: replay", "replay needs recorded bars; live"),
        (
            "paper_crypto.yaml",
            "mode: paper",
            "mode: backtest",
            "sources.crypto is 'ccxt:kraken'; b",
        ),
        ("paper_crypto.yaml", "ccxt:kraken", "sample", "needs live candles: ccxt:binance,"),
        ("paper_crypto.yaml", "ccxt:kraken", "ccxt:krakn", "venue 'krakn' is unknown: use"),
        (
            "paper_crypto.yaml",
            "crypto: ccxt",
            "crypt: ccxt",
            "hold it; did you mean crypto?",
        ),
        (
            "paper_crypto.yaml",
            "  mode: paper",
            "  mode: paper\n  benchmark: BTC-USD",
            "no bars of it",
        ),
        (
            "paper_crypto.yaml",
            "models:",
            "session: {start: 2020-01-01, end: 2020-02-01}\nmodels:",
            "begins when it is applied and has no end; leave session out",
        ),
        (
            "paper_crypto.yaml",
            "models:",
            "clock: {origin: 2020-01-01, at: 2020-01-01, rate: 0}\nmodels:",
            "clock.rate is 0",
        ),
        ("universes.yaml", "calendar: 24/7", "calendar: XNYS", "closes around the clock: 24/7"),
        (
            "universes.yaml",
            "    lot_size: 0.0001",
            "    lot_size: 0.0001\n    deadline_seconds: 1",
            "0 ≤ settle < deadline",
        ),
        (
            "universes.yaml",
            "    lot_size: 0.0001",
            "    lot_size: 0.0001\n    deadline_secs: 1",
            "deadline_secs is unknown",
        ),
    ],
)
def test_what_can_be_no_paper_run_is_refused(
    folder: Path, name: str, old: str, new: str, sentence: str
) -> None:
    config = edited(folder, name, old, new)
    with pytest.raises(BadConfig, match=re.escape(sentence)):
        live_session_of(read_configuration(config), GRIDS, "paper.1", NOON)
