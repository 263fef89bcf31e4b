"""What a person reads after `stratvector data`: bad rows, doubts, and what the store holds."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_import(console: Console, document: dict[str, Any]) -> None:
    """Each file's rows and repairs, and the key that a universe reads them by."""
    for one in document["files"]:
        _print_examined(console, one)
    where = f"source: {document['source']}"
    console.print(
        f"stored as {document['universe']} {document['timeframe']}; in universes.yaml, `{where}` "
        f"of a universe of that name reads them",
        soft_wrap=True,
    )


def print_validation(console: Console, document: dict[str, Any]) -> None:
    """Every kind of bad row and doubt, then the verdict."""
    for one in document["examined"]:
        _print_examined(console, one)
    verdict = "clean" if document["clean"] else "not clean"
    console.print(verdict, style="bold green" if document["clean"] else "bold red")


def print_series(console: Console, document: dict[str, Any]) -> None:
    """One row per symbol."""
    names = ("universe", "timeframe", "symbol", "first", "last", "bars", "source")
    table = Table()
    for name in names:
        # A narrow terminal folds a time or a symbol; a cut one would be another.
        table.add_column(name, justify="right" if name == "bars" else "left", overflow="fold")
    for row in document["series"]:
        table.add_row(*(f"{row[name]:,}" if name == "bars" else str(row[name]) for name in names))
    if document["series"]:
        console.print(table)
    else:
        console.print(f"{document['store']}: the store holds no bars")


def _print_examined(console: Console, one: dict[str, Any]) -> None:
    bars = sum(row["bars"] for row in one["symbols"])
    many = "" if len(one["symbols"]) == 1 else "s"
    console.print(
        f"{one['path']}: {one['rows']:,} rows, {bars:,} bars of {len(one['symbols'])} symbol{many}",
        soft_wrap=True,
        style="bold",
    )
    for bad in one["bad"]:
        state = "left out" if bad["removed"] else "bad"
        rows = "row" if bad["count"] == 1 else "rows"
        console.print(Text(f"  {bad['kind']}: {bad['count']:,} {rows} {state}", style="yellow"))
        for example in bad["examples"]:
            console.print(Text(f"    {example}"), soft_wrap=True)
    for doubt in one["quality"]:
        console.print(Text(f"  {doubt['code']}: {doubt['sentence']}"), soft_wrap=True)
