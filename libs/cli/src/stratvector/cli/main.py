"""The commands. Each imports what it needs when it runs, so that `--help` is quick."""

import signal
import sys
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stratvector.cli.apply import apply
from stratvector.cli.archive import archive_command
from stratvector.cli.backup.commands import backup_command, restore_command
from stratvector.cli.bus_access import TlsAuthorities, TlsCertificate, TlsKey, tell_tls
from stratvector.cli.console import remark, say
from stratvector.cli.data import data
from stratvector.cli.explain import explain
from stratvector.cli.failures import (
    FAILED,
    INTERRUPTED,
    CommandFailed,
    end_as_by_ctrl_c,
    guarded,
)
from stratvector.cli.ledger import PortfolioName, RunName, ledger
from stratvector.cli.logs import RESULTS, logs_of
from stratvector.cli.outputs import AsJson, Commands, check_outputs, emit
from stratvector.cli.paper import paper
from stratvector.cli.platform_options import (
    BasePort,
    ConsolePort,
    MonitorPort,
    NatsPort,
    OwnStrategies,
    Replicas,
    Verbose,
)
from stratvector.cli.portfolios import portfolios
from stratvector.cli.progress_lines import ProgressForm
from stratvector.cli.provision import provision
from stratvector.cli.strategies import check, new
from stratvector.runtime.process.file_modes import keep_files_private

if TYPE_CHECKING:
    from stratvector.cli.runs import Run

CONFIG = Path("config/system.yaml")

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

app = Commands(
    name="stratvector",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Take a trading strategy from research to live money on one code base.",
    epilog="Example: stratvector up --once",
)
backtest = Commands(no_args_is_help=True, help="Run strategies over recorded bars.")
app.add_typer(backtest, name="backtest")
backtest.command(
    "check", epilog="Example: stratvector backtest check trend.py:above_average --set window=50"
)(check)
app.add_typer(new, name="new")
app.add_typer(data, name="data")
app.add_typer(ledger, name="ledger")
app.command(epilog="Example: stratvector explain AAPL@2018-02-06 --session results/main-1")(explain)
app.add_typer(paper, name="paper")
app.add_typer(portfolios, name="portfolios")
app.command(epilog="Example: stratvector apply -f config/system.yaml --diff")(apply)
app.command(
    "archive", epilog="Example: stratvector archive paper.1.main --to /srv/archive/paper.1.main"
)(archive_command)
app.command(
    "backup",
    epilog="Example: stratvector backup --to /srv/backups --seed-file keys/provisioner.seed "
    "--database sqlite:////var/lib/stratvector/ledger.db --config config --keep 14",
)(backup_command)
app.command(
    "restore",
    epilog="Example: stratvector restore /srv/backups/stratvector-20260105T030000Z "
    "--seed-file keys/provisioner.seed --database sqlite:////var/lib/stratvector/ledger.db",
)(restore_command)
app.command(epilog="Example: stratvector provision --nats-url nats://127.0.0.1:4222")(provision)


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
    tls_ca: TlsAuthorities = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
) -> None:
    """Take a trading strategy from research to live money on one code base."""
    tell_tls(tls_ca, tls_certificate, tls_key)


@app.command(epilog="Example: stratvector up --once --start 2018-01-01 --json up.json")
@guarded
def up(
    context: typer.Context,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="All services in this process, on virtual time.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Exit at the end of the session.")] = False,
    config: Config = CONFIG,
    start: Start = None,
    end: End = None,
    session: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Continue a session that was interrupted."),
    ] = None,
    replicas: Replicas = None,
    base_port: BasePort = None,
    nats_port: NatsPort = None,
    port: ConsolePort = None,
    nats_monitor_port: MonitorPort = None,
    speed: Annotated[
        float | None,
        typer.Option(metavar="N", min=0.001, help="At most N closes per second, to watch them."),
    ] = None,
    json: AsJson = None,
    out: Out = RESULTS,
    verbose: Verbose = False,
) -> None:
    """Replay the session through every service, watched in a browser on http://localhost:8000."""
    from stratvector.cli.runs import new_session, run_in_this_process, runnable

    check_outputs(json, None if session else out)
    if session is not None:
        # The recorded session has its own configuration and place.
        own = {"config": config, "start": start, "end": end, "out": out}
        _refuse_beside("--session", **{n: v for n, v in own.items() if _is_typed(context, n)})
    if in_process:
        ports = {"base_port": base_port, "nats_port": nats_port, "port": port}
        ports["nats_monitor_port"] = nats_monitor_port
        _refuse_beside("--in-process", session=session, replicas=replicas, speed=speed, **ports)
        _show(json, logs_of(out), run_in_this_process(config, start, end, out, verbose))
        if not once:
            _stay()
        return
    from stratvector.cli.platform.run_folder import earlier_run
    from stratvector.cli.platform.session_run import run_session, wishes_of

    # A wrong configuration is told whether or not the ports are free.
    if session is None:
        begin = partial(new_session, runnable(config, "up"), start, end, out)
    else:
        begin = partial(earlier_run, session)
    wishes = wishes_of(
        replicas, base_port, nats_port, port, nats_monitor_port, speed, once, verbose
    )
    place = begin()
    run_session(place, wishes, partial(_show, json, logs_of(place.folder.parent)))


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
    json: AsJson = None,
    verbose: Verbose = False,
    progress: Annotated[
        ProgressForm, typer.Option(help="On standard error: a bar, or JSON lines for a program.")
    ] = ProgressForm.BAR,
) -> None:
    """Run a session through the compiled loop: result.json, orders, fills and equity as Parquet."""
    from stratvector.cli.runs import compiled, load, run_and_record, runnable
    from stratvector.cli.tables import print_summary

    check_outputs(json, out)
    configuration = runnable(config, "backtest run")
    session = load(configuration, start, end, data, progress)
    driver = partial(compiled, verbose=verbose, form=progress)
    run = run_and_record(configuration, session, out, driver)
    emit(json, run.document, print_summary, run.document)
    if run.failure is not None:
        raise CommandFailed(run.failure)


@app.command(epilog="Example: stratvector parity results/main-1a2b3c4d-1")
@guarded
def parity(
    session: Annotated[
        Path, typer.Argument(metavar="SESSION", help="A run's folder, or its session folder.")
    ],
    portfolio: PortfolioName = "",
    run: RunName = "",
    archive: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="What `archive` has written before it purged the log."),
    ] = None,
    own_strategies: OwnStrategies = False,
    json: AsJson = None,
) -> None:
    """Replay a session's log through the engine: equal, or the first difference explained."""
    from stratvector.cli.parity import examine, print_examination
    from stratvector.runtime.document_code import permit

    check_outputs(json)
    permit(own_strategies)
    examination = examine(session, portfolio, run, archive)
    emit(json, examination.document(), print_examination, examination)
    if not examination.passed:
        raise typer.Exit(FAILED)


@app.command(epilog="Example: stratvector doctor --config config/system.yaml")
@guarded
def doctor(
    config: Config = CONFIG,
    json: AsJson = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="List package versions too.")] = False,
) -> None:
    """Check what runs need: tools, services, configuration, data, and a small backtest."""
    from stratvector.cli.doctor import examine, print_examination

    check_outputs(json)
    examination = examine(config, verbose)
    emit(json, examination.document(), print_examination, examination)
    if not examination.healthy:
        raise typer.Exit(FAILED)


def _show(json: Path | None, logs: Path, run: "Run") -> None:
    """A finished session: its summary first, as a full disk must not hide it, then the logs."""
    from stratvector.cli.runs import log_run
    from stratvector.cli.tables import print_summary

    emit(json, run.document, print_summary, run.document)
    if run.failure is not None:
        raise CommandFailed(run.failure)
    log_run(run, logs)


def _is_typed(context: typer.Context, name: str) -> bool:
    """Whether the user gave an option that has a default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _refuse_beside(option: str, **others: object) -> None:
    """Options that would be ignored beside another one. Raises CommandFailed."""
    for name, value in others.items():
        if value is not None:
            raise CommandFailed(f"{option} and --{name.replace('_', '-')} exclude each other")


def _stay() -> None:
    """Wait for Ctrl-C; a finished session is left with exit code 0."""
    remark("The session is done; press Ctrl-C to leave (--once leaves by itself).")
    try:
        signal.pause()
    except KeyboardInterrupt:
        remark("Bye.")


def main() -> None:
    """The `stratvector` command."""
    keep_files_private()
    try:
        end_as_by_ctrl_c()
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
