"""`stratvector paper run`: live candles through every service, traded at the simulated broker."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stratvector.cli.failures import CommandFailed, guarded
from stratvector.cli.logs import RESULTS
from stratvector.cli.outputs import AsJson, Commands, check_outputs, emit
from stratvector.cli.paper_wish import VENUE_SECONDS, paper_wish, refuse_another
from stratvector.cli.platform_options import BasePort, ConsolePort, NatsPort, Replicas, Verbose

if TYPE_CHECKING:
    from rich.console import Console

CONFIG = Path("config/paper_crypto.yaml")

paper = Commands(no_args_is_help=True, help="Trade live candles at the simulated broker.")


@paper.callback()
def _paper() -> None:
    """Trade live candles at the simulated broker."""


@paper.command("run", epilog="Example: stratvector paper run --config config/paper_crypto.yaml")
@guarded
def run(
    config: Annotated[
        Path, typer.Option("--config", "-c", metavar="FILE", help="Others lie beside it.")
    ] = CONFIG,
    name: Annotated[
        str, typer.Option("--run", metavar="ID", help="The run's name: paper.<ID>.")
    ] = "1",
    connect: Annotated[
        float, typer.Option(metavar="S", min=0, help="How long to wait for the venue, in seconds.")
    ] = VENUE_SECONDS,
    replicas: Replicas = None,
    base_port: BasePort = None,
    nats_port: NatsPort = None,
    port: ConsolePort = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the run lies, in a folder of its own.")
    ] = RESULTS,
    verbose: Verbose = False,
    json: AsJson = None,
) -> None:
    """Trade live candles until Ctrl-C; started again, it goes on where it stopped."""
    from stratvector.cli.platform.paper_run import run_paper
    from stratvector.cli.platform.run_folder import SESSION, RunFolder, endless_run
    from stratvector.cli.platform.session_run import wishes_of
    from stratvector.config import read_configuration
    from stratvector.trading.runs import PAPER, check_run

    check_outputs(json, out)
    named = f"{PAPER}.{name}"
    try:
        check_run(named)
    except ValueError as error:
        raise CommandFailed(f"--run {name!r}: {error}") from None
    configuration = read_configuration(config)
    wishes = wishes_of(replicas, base_port, nats_port, port, None, None, False, verbose)
    folder = out / f"{configuration.system.system.portfolio}-{named}"
    before = RunFolder(folder / SESSION).wish if folder.exists() else None
    wish = asyncio.run(paper_wish(configuration, named, before, connect))
    if before is not None:
        refuse_another(folder, named, wish, before)
    document = run_paper(endless_run(wish, out), wishes)
    emit(json, document, _tell_nothing, None)


def _tell_nothing(console: "Console", shown: None) -> None:
    """Everything was told while it ran."""
