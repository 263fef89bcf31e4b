"""The commands. Each imports what it needs when it runs, so that `--help` is quick."""

import signal
import sys
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from stratvector.cli.console import output, print_json, remark, say
from stratvector.cli.failures import FAILED, INTERRUPTED, CommandFailed, guarded

CONFIG = Path("config/system.yaml")
RESULTS = Path("results")
RUNS_HERE = ("backtest", "replay")

Config = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="system.yaml; others lie beside it.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="CSV or Parquet with the bars of every universe, instead of the configured sources.",
    ),
]
Start = Annotated[
    str | None, typer.Option(metavar="D", help="First close that may trade: a date or UTC time.")
]
End = Annotated[str | None, typer.Option(metavar="D", help="Last close: a date, or a UTC time.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where results go, a folder for each run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, no tables.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Tell every order and fill.")]

app = typer.Typer(
    name="stratvector",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Take a trading strategy from research to live money on one code base.",
    epilog="Example: stratvector up --in-process --once",
)
backtest = typer.Typer(no_args_is_help=True, help="Run strategies over recorded bars.")
app.add_typer(backtest, name="backtest")


def _print_version(asked: bool) -> None:
    if asked:
        say(f"stratvector {metadata.version('stratvector-cli')}")
        raise typer.Exit


@app.callback()
def stratvector(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print and exit."),
    ] = False,
) -> None:
    """Take a trading strategy from research to live money on one code base."""


@app.command(epilog="Example: stratvector up --in-process --once --start 2018-01-01 --json up.json")
@guarded
def up(
    in_process: Annotated[
        bool, typer.Option("--in-process", help="All services in this process.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Exit at the end of the session.")] = False,
    config: Config = CONFIG,
    start: Start = None,
    end: End = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the summary to a file.")
    ] = None,
    out: Out = RESULTS,
    verbose: Verbose = False,
) -> None:
    """Replay the session through every service: bars, signals, orders, fills, ledger."""
    if not in_process:
        raise CommandFailed(
            "services as processes of their own come later: run `stratvector up --in-process`"
        )
    from stratvector.cli.config import read_configuration
    from stratvector.cli.runs import in_services, load, log_run, run_and_record, write_summary
    from stratvector.cli.tables import print_summary

    configuration = read_configuration(config)
    mode = configuration.system.system.mode
    if mode not in RUNS_HERE:
        raise CommandFailed(f"{config}: system.mode is {mode!r}; so far up runs backtest or replay")
    session = load(configuration, start, end)
    run = run_and_record(configuration, session, out, partial(in_services, verbose=verbose))
    log_run(run)
    if json is not None:
        write_summary(json, run.document)
    print_summary(output(), run.document)
    if not once:
        _stay()


@backtest.command(
    "run", epilog="Example: stratvector backtest run --config config/system.yaml --end 2018-12-31"
)
@guarded
def backtest_run(
    config: Config = CONFIG,
    data: Data = None,
    start: Start = None,
    end: End = None,
    out: Out = RESULTS,
    json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Run a session through the compiled loop: result.json, orders, fills and equity as Parquet."""
    from stratvector.cli.config import read_configuration
    from stratvector.cli.runs import compiled, load, run_and_record
    from stratvector.cli.tables import print_summary

    configuration = read_configuration(config)
    session = load(configuration, start, end, data)
    run = run_and_record(configuration, session, out, partial(compiled, verbose=verbose))
    if json:
        print_json(run.document)
    else:
        print_summary(output(), run.document)


@app.command(epilog="Example: stratvector doctor --config config/system.yaml")
@guarded
def doctor(
    config: Config = CONFIG,
    json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="List package versions too.")] = False,
) -> None:
    """Check what runs need: tools, services, configuration, data, and a small backtest."""
    from stratvector.cli.doctor import examine, print_examination

    examination = examine(config, verbose)
    if json:
        print_json(examination.document())
    else:
        print_examination(output(), examination)
    if not examination.healthy:
        raise typer.Exit(FAILED)


def _stay() -> None:
    """Wait for Ctrl-C; a finished session is left with exit code 0."""
    remark("The session is done; press Ctrl-C to leave (--once leaves by itself).")
    try:
        signal.pause()
    except KeyboardInterrupt:
        remark("Bye.")


def main() -> None:
    """The `stratvector` command."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
