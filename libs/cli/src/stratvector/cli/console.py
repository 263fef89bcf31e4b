"""Where a command writes: results to standard output, everything else to standard error."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console


@cache
def output() -> "Console":
    """Tables and the paths of results."""
    from rich.console import Console

    return Console(highlight=False)


@cache
def aside() -> "Console":
    """Progress, remarks and errors; when nobody reads them any more, work goes on in silence."""
    from rich.console import Console

    class Aside(Console):
        def on_broken_pipe(self) -> None:
            # rich would give standard output away too, where the results go, and end the command.
            self.quiet = True

    return Aside(stderr=True, highlight=False)


def say(line: str) -> None:
    """One line of the result, as it is."""
    typer.echo(line)


def remark(line: str) -> None:
    """One line beside the result."""
    typer.echo(line, err=True)


def complain(sentence: str) -> None:
    """An error's sentence."""
    typer.secho(f"stratvector: {sentence}", fg=typer.colors.RED, err=True)


def print_json(document: dict[str, Any]) -> None:
    """A document alone on standard output."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False))
