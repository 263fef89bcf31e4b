"""`stratvector paper run` refuses in one sentence, before anything is started or written."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from stratvector.cli.failures import CommandFailed
from stratvector.cli.main import app
from stratvector.cli.paper_wish import paper_wish, refuse_another
from stratvector.config import read_configuration
from tests.exchange.shapes import MINUTE
from tests.sessions.paper_flow import Exchange, configure, exchange

if TYPE_CHECKING:
    from typer.testing import Result

    from stratvector.runtime.documents import Wish

NOON = 1_700_049_600 * 10**9


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    """The loopback exchange at noon."""
    with exchange() as started:
        started.live(NOON, 1.0)
        yield started


def config(folder: Path, venue: Exchange, **edits: str) -> Path:
    file = configure(folder, venue.urls(), NOON, time.time_ns() // 10**9 * 10**9, 1.0)
    universes = folder / "universes.yaml"
    text = universes.read_text()
    for old, new in edits.items():
        assert old in text
        text = text.replace(old, new)
    universes.write_text(text)
    return file


def run(place: Path, file: Path, *options: str) -> Result:
    told = ["paper", "run", "-c", str(file), "--out", str(place / "results"), "--base-port", "0"]
    return CliRunner().invoke(app, [*told, *options])


def refused(place: Path, file: Path, *options: str) -> str:
    """The sentence; nothing is left behind."""
    result = run(place, file, *options)
    assert result.exit_code == 1, result.output
    assert not (place / "results").exists() or not list((place / "results").iterdir())
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


def test_a_venue_that_does_not_answer_is_told_after_its_time(
    tmp_path: Path, venue: Exchange
) -> None:
    nobody = Exchange(1)
    told = refused(tmp_path, config(tmp_path / "config", nobody), "--connect", "1")
    assert "binance can't be reached within 1 s: " in told


def test_a_symbol_that_the_venue_does_not_trade_is_told_with_the_nearest(
    tmp_path: Path, venue: Exchange
) -> None:
    file = config(tmp_path / "config", venue, **{"SOL-USDT": "SOL-USD"})
    told = refused(tmp_path, file)
    assert "binance trades no 'SOL-USD': the nearest that it knows is SOL-USDT" in told


def test_a_timeframe_that_the_venue_does_not_have_is_told_with_those_that_it_has(
    tmp_path: Path, venue: Exchange
) -> None:
    file = config(tmp_path / "config", venue, **{"timeframe: 4H": "timeframe: 2M"})
    assert "binance has no candles of 2M: it has 1M, 3M" in refused(tmp_path, file)


def test_a_replays_configuration_and_a_bad_name_are_refused(
    tmp_path: Path, venue: Exchange
) -> None:
    sample = Path(__file__).parents[3] / "config" / "system.yaml"
    assert "a paper run needs mode: paper" in refused(tmp_path, sample)
    file = config(tmp_path / "config", venue)
    assert "run is 'paper.a.b'; after paper. come" in refused(tmp_path, file, "--run", "a.b")


@pytest.mark.parametrize("command", ["up --nats-port {}", "backtest run"])
def test_a_paper_configuration_has_no_recorded_bars(command: str) -> None:
    shipped = Path(__file__).parents[3] / "config" / "paper_crypto.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        # The configuration is told first, whether or not ports are free.
        words = command.format(taken.getsockname()[1]).split()
        result = CliRunner().invoke(app, [*words, "--config", str(shipped)])
    assert result.exit_code == 1
    assert "`stratvector paper run` trades live candles" in result.stderr


def wish_of(file: Path, before: Wish | None = None) -> Wish:
    return asyncio.run(paper_wish(read_configuration(file), "paper.1", before, 20.0))


def test_asked_again_the_wish_is_the_same_although_time_passed_and_nobody_answers(
    tmp_path: Path, venue: Exchange
) -> None:
    file = config(tmp_path / "config", venue)
    first = wish_of(file)
    assert first.session().start % MINUTE == 0
    grids = {(i.decimals, i.lot_size) for i in first.session().portfolio.instruments}
    assert grids == {(2, Decimal("0.0001"))}  # the venue's own
    system = (tmp_path / "config" / "system.yaml").read_text()
    venue.fail([])
    again = wish_of(file, first)
    assert again.says_the_same(first)
    refuse_another(tmp_path, "paper.1", again, first)
    edited = tmp_path / "config" / "system.yaml"
    edited.write_text(system.replace("per_asset_cap: 0.60", "per_asset_cap: 0.50"))
    with pytest.raises(
        CommandFailed,
        match=r"began with another configuration: portfolio.limits.asset was 0.6 and is 0.5;",
    ):
        refuse_another(tmp_path, "paper.1", wish_of(file, first), first)
