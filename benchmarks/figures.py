"""What every benchmark reports: rows of one shape, printed as a table and kept as JSON."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One measured case. ratio : ours / theirs. holds : whether `goal`, a sentence, is met."""

    case: str
    against: str
    ours: float
    theirs: float | None
    unit: str
    ratio: float | None
    goal: str
    holds: bool


def seconds_of(*runs: Callable[[], object], repeats: int = 5) -> list[float]:
    """Median seconds of each callable, run in turn A B A B … so that drift hits all alike."""
    for run in runs:
        run()
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for times, run in zip(taken, runs, strict=True):
            started = perf_counter()
            run()
            times.append(perf_counter() - started)
    return [statistics.median(times) for times in taken]


def report(name: str, figures: Sequence[Figure]) -> None:
    """Print the table and write results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    rows = [asdict(figure) for figure in figures]
    (RESULTS / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")
    table = Table(title=f"bench-{name}", title_justify="left")
    for heading in ("case", "ours", "unit", "against", "theirs", "ratio", "goal", "holds"):
        table.add_column(
            heading, justify="right" if heading in ("ours", "theirs", "ratio") else "left"
        )
    for f in figures:
        table.add_row(
            f.case,
            _number(f.ours),
            f.unit,
            f.against,
            _number(f.theirs),
            _number(f.ratio),
            f.goal,
            "yes" if f.holds else "NO",
        )
    Console(width=150).print(table)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
