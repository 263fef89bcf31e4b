"""up: which session `stratvector up` runs, new or continued, and what can't go together."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stratvector.cli.failures import CommandFailed
from stratvector.cli.runs import Run, in_services, load, run_and_record, runnable

if TYPE_CHECKING:
    from stratvector.cli.platform.run_folder import RunFolder


def run_in_process(
    config: Path, start: str | None, end: str | None, out: Path, verbose: bool
) -> Run:
    """All services in this process. Raises BadConfig, CommandFailed, OSError."""
    configuration = runnable(config, "up")
    session = load(configuration, start, end)
    return run_and_record(configuration, session, out, partial(in_services, verbose=verbose))


def new_session(config: Path, start: str | None, end: str | None, out: Path) -> "RunFolder":
    """A reserved folder with the session in it. Raises BadConfig, BadSession, OSError."""
    from stratvector.cli.platform.run_folder import new_run

    configuration = runnable(config, "up")
    return new_run(configuration, load(configuration, start, end), out)


def refuse_beside(option: str, **others: object) -> None:
    """Options that would be ignored beside another one. Raises CommandFailed."""
    for name, value in others.items():
        if value is not None:
            raise CommandFailed(f"{option} and --{name.replace('_', '-')} exclude each other")
