"""`benchmark:` and `risk_free_rate:` of system.yaml, and what is refused as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from stratvector.config import BadConfig, load_session, provenance, read_configuration
from stratvector.runtime.documents import decode_wish, encode_wish, wish_of
from stratvector.trading.benchmark import benchmark_document
from tests.sessions.small_configuration import ConfigFolder

if TYPE_CHECKING:
    from stratvector.trading.session import Session

SYSTEM, UNIVERSES = "system.yaml", "universes.yaml"
INDEX = """
  index:
    symbols: [IDX]
    asset_class: equity
    timeframe: 1D
    calendar: XNYS
    source: index.csv
"""


def loaded(place: ConfigFolder, benchmark: str, rest: str = "") -> Session:
    place.change(SYSTEM, "models:", f"benchmark: {benchmark}\n{rest}models:")
    return load_session("config/system.yaml")


def write_index(place: ConfigFolder, name: str) -> pl.DataFrame:
    """Bars of AAA under another name; its rows."""
    rows = pl.read_csv("prices.csv").filter(pl.col("symbol") == "AAA")
    rows.with_columns(pl.lit("IDX").alias("symbol")).write_csv(place.folder / name)
    return rows


def test_a_traded_symbol_is_a_benchmark_with_one_price_a_day(place: ConfigFolder) -> None:
    session = loaded(place, "AAA", "risk_free_rate: 0.02\n")
    assert session.benchmark is not None
    assert (session.benchmark.name, session.risk_free_rate) == ("AAA", 0.02)
    bars = session.histories["stocks"].bars
    closes = dict(zip(bars.close_times.tolist(), bars.close[:, 0].tolist(), strict=True))
    times = session.benchmark.close_times.tolist()
    assert session.benchmark.prices.tolist() == [closes[t] for t in times]
    assert session.benchmark.close_times[0] < session.start <= times[-1]


def test_a_symbol_of_a_universe_that_nobody_trades_and_a_file_give_the_same_prices(
    place: ConfigFolder,
) -> None:
    write_index(place, "index.csv")
    (place.config / UNIVERSES).write_text((place.config / UNIVERSES).read_text() + INDEX)
    by_symbol = loaded(place, "IDX")
    place.change(SYSTEM, "benchmark: IDX", "benchmark: index.csv")
    by_file = load_session("config/system.yaml")
    place.change(SYSTEM, "benchmark: index.csv", "benchmark: AAA")
    traded = load_session("config/system.yaml")
    shown = [s.benchmark for s in (by_symbol, by_file, traded)]
    names = [b.name for b in shown if b is not None]
    assert names == ["IDX", "IDX", "AAA"]
    last = [b.prices[-60:].tolist() for b in shown if b is not None]
    assert last[0] == last[1] == last[2]


def test_the_benchmark_is_in_the_hashes_and_is_in_the_document(
    place: ConfigFolder,
) -> None:
    plain = load_session("config/system.yaml")
    without = provenance(read_configuration("config/system.yaml"), plain)
    session = loaded(place, "BBB", "risk_free_rate: 0.02\n")
    facts = provenance(read_configuration("config/system.yaml"), session)
    assert facts["config"]["system"]["benchmark"] == "BBB"
    for name in ("config_hash", "data_hash"):
        assert facts[name] != without[name]
    read = decode_wish("document", encode_wish(wish_of(session, "ada", 1))).session()
    assert benchmark_document(read.benchmark) == benchmark_document(session.benchmark)
    assert read.risk_free_rate == 0.02


def test_what_can_be_no_benchmark_is_one_sentence(place: ConfigFolder) -> None:
    pl.read_csv("prices.csv").write_csv(place.folder / "three.csv")
    refused = {
        "AAB": "'AAB'; it must be a symbol of universes.yaml, or a CSV or Parquet file; "
        "did you mean",
        "none.csv": "'none.csv'; ",
        "three.csv": "'three.csv'; it holds 3 symbols; a benchmark's file has bars of one",
    }
    before = "models:"
    for name, sentence in refused.items():
        place.change(SYSTEM, before, f"benchmark: {name}\nmodels:")
        before = f"benchmark: {name}\nmodels:"
        with pytest.raises(BadConfig, match=r"^config/system\.yaml: benchmark is ") as error:
            load_session("config/system.yaml")
        assert sentence in str(error.value)
    place.change(SYSTEM, before, "risk_free_rate: -1\nmodels:")
    with pytest.raises(BadConfig, match="risk_free_rate is -1; it must be above -1"):
        load_session("config/system.yaml")
