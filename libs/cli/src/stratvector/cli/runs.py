"""One run of a session, by either driver: progress, results on disk, the document to show."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stratvector.cli.console import aside
from stratvector.cli.failures import CommandFailed
from stratvector.cli.logs import append
from stratvector.cli.progress_lines import Phase, ProgressForm, ProgressLines, tell_phase

if TYPE_CHECKING:
    from stratvector.backtest import Result
    from stratvector.cli.platform.run_folder import RunFolder
    from stratvector.cli.progress import SessionProgress
    from stratvector.config import Configuration
    from stratvector.trading.session import Session

HASH_DIGITS = 8

RUNS_HERE = ("backtest", "replay")

Driver = Callable[["Session"], "Result"]


@dataclass(frozen=True)
class Run:
    """A finished run: its result, and the document that is shown: the result's own, where it lies
    and how long it took.

    failure : why the results could not be written, though the run was finished.
    """

    result: "Result"
    document: dict[str, Any]
    failure: str | None = None


def runnable(config: Path, command: str) -> "Configuration":
    """A configuration whose mode is one that a command runs. Raises BadConfig, CommandFailed."""
    from stratvector.config import read_configuration

    configuration = read_configuration(config)
    mode = configuration.system.system.mode
    if mode not in RUNS_HERE:
        raise CommandFailed(
            f"{config}: system.mode is {mode!r}, but {command} sends nothing to a broker: write "
            f"{' or '.join(RUNS_HERE)}"
            + ("; `stratvector paper run` trades live candles" if mode == "paper" else "")
        )
    return configuration


def run_and_record(
    configuration: "Configuration", session: "Session", out: Path, driver: Driver
) -> Run:
    """Run, and write the results to out/<portfolio>-<hash>-<n>.

    The hash is over configuration and data, so that equal inputs stand side by side; n counts
    their runs. Where they can't be written, the run tells it.
    """
    from stratvector.backtest import write_result
    from stratvector.config import provenance

    facts = provenance(configuration, session)
    begun = time.perf_counter()
    result = driver(session)
    seconds = time.perf_counter() - begun
    name = run_name(session, facts)
    try:
        folder, failure = write_result(out, name, result, facts), None
    except OSError as error:
        folder, failure = out / name, not_written(out, error)
    return finished_run(folder, result, facts, seconds, failure)


def not_written(folder: Path, error: OSError) -> str:
    """Why a finished run left no results."""
    return f"{folder}: the results could not be written: {(error.strerror or str(error)).lower()}"


def run_name(session: "Session", facts: Mapping[str, Any]) -> str:
    """<portfolio>-<hash>, the hash over configuration and data."""
    from stratvector.config.configuration import hash_of

    inputs = hash_of([facts["config_hash"], facts["data_hash"]])[:HASH_DIGITS]
    return f"{session.portfolio.name}-{inputs}"


def finished_run(
    folder: Path,
    result: "Result",
    facts: Mapping[str, Any],
    seconds: float,
    failure: str | None = None,
) -> Run:
    """A run whose result lies in a folder, unless that failed; how long it took."""
    from stratvector.backtest import document

    run = {
        "run": folder.name,
        "results": None if failure else str(folder),
        "seconds": round(seconds, 3),
        "close_times_per_s": round(len(result.entries) / seconds, 1),
    }
    return Run(result, document(result, facts) | run, failure)


def log_run(run: Run, folder: Path) -> None:
    """Orders, fills and performance as lines of the local logs in `folder`. Raises OSError."""
    name = {"run": run.document["run"]}
    append("orders", (name | row for row in run.result.orders.iter_rows(named=True)), folder)
    append("trades", (name | row for row in run.result.fills.iter_rows(named=True)), folder)
    figures = ("first_close", "last_close", "final_equity", "metrics", "models")
    append("performance", [name | {key: run.document[key] for key in figures}], folder)


def load(
    configuration: "Configuration",
    start: str | None,
    end: str | None,
    data: Path | None = None,
    form: ProgressForm = ProgressForm.BAR,
) -> "Session":
    """The configuration's session, with a word on what takes these seconds. Raises BadConfig."""
    if form is ProgressForm.JSON:
        tell_phase(Phase.LOADING)
    with aside().status(Phase.LOADING):
        from stratvector.config import session_of

        return session_of(configuration, start, end, None if data is None else str(data))


def run_in_this_process(
    config: Path, start: str | None, end: str | None, out: Path, verbose: bool
) -> Run:
    """`up` with all services in this process. Raises BadConfig, CommandFailed, OSError."""
    configuration = runnable(config, "up")
    session = load(configuration, start, end)
    return run_and_record(configuration, session, out, partial(in_services, verbose=verbose))


def new_session(
    configuration: "Configuration", start: str | None, end: str | None, out: Path
) -> "RunFolder":
    """What `up` runs as processes: a reserved folder with the session in it.

    Raises BadConfig, BadSession, OSError.
    """
    from stratvector.cli.platform.run_folder import new_run

    return new_run(configuration, load(configuration, start, end), out)


def compiled(session: "Session", verbose: bool, form: ProgressForm = ProgressForm.BAR) -> "Result":
    """The backtest's compiled loop."""
    from stratvector.cli.progress import session_progress

    if form is ProgressForm.BAR:
        closes = session.schedule.close_times.tolist()
        with session_progress(len(closes), "backtest", closes) as progress:
            return _replayed(session, verbose, progress)
    lines = ProgressLines(session.schedule)
    lines(0, len(session.schedule))
    result = _replayed(session, verbose, lines)
    tell_phase(Phase.WRITING)
    return result


def _replayed(
    session: "Session", verbose: bool, progress: "SessionProgress | ProgressLines"
) -> "Result":
    from stratvector.backtest import result_of
    from stratvector.backtest.certified import certified
    from stratvector.cli.told import told
    from stratvector.trading import replay

    session = certified(session)
    session.refuse_unfit_signals()
    result = result_of(replay.run(session, progress))
    for entry in result.entries if verbose else ():
        for line in told(entry, session.portfolio):
            progress.say(line)
    return result


def in_services(session: "Session", verbose: bool) -> "Result":
    """The five services in this process."""
    from stratvector.cli.in_process import run_in_process
    from stratvector.cli.progress import session_progress
    from stratvector.cli.told import told
    from stratvector.trading.ledger import LedgerEntry

    closes = len(session.schedule)
    with session_progress(closes, "session") as progress:

        def watch(entry: LedgerEntry, done: int) -> None:
            progress(done, closes, entry.close_time)
            for line in told(entry, session.portfolio) if verbose else ():
                progress.say(line)

        return run_in_process(session, watch)
