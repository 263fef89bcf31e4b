"""Tables on narrow terminals, wide ones and pipes: cells are whole wherever they are shown."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from stratvector.cli.fitted_table import Column, Fitted, print_tables

MODEL, MONEY = "IndexMeanReversionModel_v1", "-1,234,567.89"
TABLE = Fitted(
    "Models",
    (
        Column("", words=True),
        Column("profit"),
        Column("commission", rank=2),
        Column("fills", rank=3),
        Column("drift", rank=1),
    ),
    ((MODEL, MONEY, "1,825.47", "189", "0.98"), ("Short", "1.00", "0.00", "1", "–")),
)


def printed(width: int, *tables: Fitted) -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=True, color_system=None)
    print_tables(console, *tables)
    return text.getvalue()


def test_a_wide_terminal_shows_tables_side_by_side() -> None:
    first = printed(200, TABLE, TABLE).splitlines()[0]
    assert first.count("Models") == 2
    assert printed(100, TABLE, TABLE).splitlines()[0].count("Models") == 1


@pytest.mark.parametrize(
    ("width", "gone"), [(70, "fills"), (60, "commission, fills"), (50, "drift, commission, fills")]
)
def test_a_narrow_terminal_loses_whole_columns_and_says_which(width: int, gone: str) -> None:
    text = printed(width, TABLE)
    assert MODEL in text
    assert MONEY in text
    assert f"not shown, too wide: {gone}; a wider window shows it" in " ".join(text.split())


def test_what_matters_most_is_whole_however_narrow_the_terminal() -> None:
    text = printed(20, TABLE)
    assert any(MODEL in line and MONEY in line for line in text.splitlines())


def test_a_pipe_gets_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    text = io.StringIO()
    print_tables(Console(file=text), TABLE)
    assert "0.98" in text.getvalue()
    assert "not shown" not in text.getvalue()


CELLS = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=40)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=4), st.integers(10, 140))
def test_no_shown_cell_is_ever_cut_or_broken(rows: list[tuple[str, str, str]], width: int) -> None:
    columns = (Column("symbol", words=True), Column("price"), Column("slippage", rank=1))
    table = Fitted("Fills", columns, tuple(rows))
    lines = printed(width, table).splitlines()
    shown = table.within(width).rows
    assert all(any(all(cell in line for cell in row) for line in lines) for row in shown)
