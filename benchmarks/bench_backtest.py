"""`make bench-backtest`: whole backtests by the public API, beside backtesting.py and vectorbt.

Every case of every library is a process of its own, on the same bars. The clock starts at loaded
bars, after one run that compiles and caches; metrics and frames of fills and equity are part of it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, report

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".venv" / "peers" / "bin" / "python"
BACKTESTING, VECTORBT = "backtesting_py.py", "vectorbt_py.py"
DAY, HOUR, MINUTE = 86_400, 3_600, 60
SWEEP_MS_MAX = 1000 * 5_080 / 36_000  # pairs, and pairs per second


@dataclass(frozen=True)
class Case:
    """One workload. windows : of both averages, 0 for a grid of them. goal : the most milliseconds
    that ours may take, None where there is none. against : a peer's program, and how many times as
    fast ours has to be.
    """

    name: str
    kind: str
    closes: int
    symbols: int
    seconds: int
    windows: tuple[int, int]
    repeats: int
    goal: float | None
    against: dict[str, float]


CASES = (
    Case(
        "2,148 daily bars", "run", 2_148, 1, DAY, (10, 30), 21, 2.0, {BACKTESTING: 1, VECTORBT: 1}
    ),
    Case(
        "10 x 50,000 bars",
        "run",
        50_000,
        10,
        HOUR,
        (10, 30),
        5,
        None,
        {BACKTESTING: 100, VECTORBT: 4},
    ),
    Case("10 x 50,000, on_bar", "on_bar", 50_000, 10, HOUR, (10, 30), 3, None, {BACKTESTING: 5}),
    Case("524 x 252 daily bars", "run", 252, 524, DAY, (10, 30), 9, 20.0, {VECTORBT: 1}),
    Case("530,000 minute bars", "run", 530_000, 1, MINUTE, (50, 200), 5, 60.0, {VECTORBT: 1}),
    Case("sweep, 5,080 x 5,000", "sweep", 5_000, 1, DAY, (0, 0), 2, SWEEP_MS_MAX, {VECTORBT: 68}),
)


def panel(folder: Path, case: Case) -> Path:
    """Seeded bars in whole cents, with opens that differ from the closes before."""
    random = np.random.default_rng(7)
    shape = case.closes, case.symbols
    days = case.seconds / DAY
    steps = random.normal(0.0003 * days, 0.015 * days**0.5, shape)
    close = np.round(100 * np.exp(np.cumsum(steps, axis=0)), 2)
    opened = np.round(np.vstack([close[:1], close[:-1]]) * (1 + random.normal(0, 0.0005, shape)), 2)
    path = folder / f"{case.closes}-{case.symbols}.npz"
    np.savez(
        path,
        times=1_400_000_000 * 10**9 + np.arange(1, case.closes + 1) * case.seconds * 10**9,
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
        close=close,
        volume=np.full(shape, 1e6),
    )
    return path


def figures_of(command: list[str]) -> dict[str, float]:
    """What a process measured of itself."""
    # A peer's bars and warnings would cost it time, and us the sight of our own table.
    quiet = os.environ | {"TQDM_DISABLE": "1", "PYTHONWARNINGS": "ignore"}
    ran = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env=quiet
    )
    figures: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return figures


def measure(case: Case, path: Path) -> list[Figure]:
    """Ours, and ours beside each peer."""
    windows = [str(each) for each in case.windows]
    module = [sys.executable, "-m", "benchmarks.backtest_rows", case.kind, str(path)]
    ours = figures_of([*module, *windows, str(case.repeats)])
    took = 1000 * ours["wall"]
    fits = case.goal is None or took <= case.goal
    goal = "-" if case.goal is None else f"<= {case.goal:,.0f} ms"
    found = [
        Figure(case.name, "-", took, None, "ms", None, goal, fits),
        Figure(f"{case.name}: CPU", "-", 1000 * ours["cpu"], None, "ms", None, "-", True),
        Figure(
            f"{case.name}: memory", "-", ours["memory"], None, "MiB above imports", None, "-", True
        ),
    ]
    for program, times in case.against.items():
        repeats = case.repeats if case.closes * case.symbols < 100_000 and case.kind == "run" else 1
        command = [str(PEERS), f"benchmarks/peers/{program}", str(path), *windows, str(repeats)]
        theirs = figures_of(command)
        name, ratio = program.removesuffix("_py.py"), theirs["wall"] / ours["wall"]
        needed = f">= {times:g} x as fast"
        found += [
            Figure(
                case.name, name, took, 1000 * theirs["wall"], "ms", ratio, needed, ratio >= times
            ),
            Figure(
                f"{case.name}: memory",
                name,
                ours["memory"],
                theirs["memory"],
                "MiB",
                None,
                "-",
                True,
            ),
        ]
    return found


def main() -> None:
    """All cases, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="part of the names of the cases to run")
    only: str = parser.parse_args().only
    subprocess.run([ROOT / "tools" / "peers.sh"], cwd=ROOT, check=True)
    found = list[Figure]()
    with tempfile.TemporaryDirectory() as folder:
        for case in (each for each in CASES if only in each.name):
            print(f"bench-backtest: {case.name}", flush=True)
            found += measure(case, panel(Path(folder), case))
    report("backtest", found)


if __name__ == "__main__":
    main()
