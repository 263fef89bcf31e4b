"""Where a command's output goes: `--json [FILE]` and `--out DIR`, checked before any work is done.

`--json` means one thing everywhere: alone it prints one JSON document instead of tables; with a
file it writes that document there, and the tables are printed as ever.
"""

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import typer
from typer.core import TyperCommand

from stratvector.cli.console import output, print_json
from stratvector.cli.failures import CommandFailed

if TYPE_CHECKING:
    from rich.console import Console

OPTION = "--json"
PRINTED = Path("-")

Shown = TypeVar("Shown")


class Command(TyperCommand):
    """A command whose `--json` takes a file or nothing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join `--json` with the word behind it where that is its file, else with `-`.

        Where a command takes arguments of its own, only a word that ends in .json is one.
        """
        has_arguments = any(each.param_type_name == "argument" for each in self.params)
        return super().parse_args(ctx, _joined(args, has_arguments))


class Commands(typer.Typer):
    """A group whose commands all understand `--json [FILE]`."""

    def command(  # type: ignore[override]  # typer's other options are not needed here
        self, name: str | None = None, *, epilog: str
    ) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """As in typer; epilog : an example."""
        return super().command(name, cls=Command, epilog=epilog)


AsJson: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        OPTION,
        metavar="[FILE]",
        help="Print one JSON document, no tables; with FILE, write it there beside the tables.",
        show_default=False,
    ),
]


def emit(
    wanted: Path | None,
    document: dict[str, Any],
    print_tables: Callable[["Console", Shown], None],
    shown: Shown,
) -> None:
    """Show a finished command's output as `--json` asks.

    print_tables : prints `shown` for a person. Raises OSError, when the tables are printed already.
    """
    if wanted == PRINTED:
        print_json(document)
        return
    print_tables(output(), shown)
    if wanted is not None:
        write_document(wanted, document)


def write_document(path: Path, document: dict[str, Any]) -> None:
    """The document as a JSON file, whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def check_outputs(
    wanted: Path | None = None, folder: Path | None = None, option: str = "--out"
) -> None:
    """Find out now whether the outputs can be written later. Raises CommandFailed.

    wanted : of `--json`. folder : of `option`. Nothing that is made to find out stays.
    """
    if folder is not None:
        _check_folder(option, folder, folder)
    if wanted is None or wanted == PRINTED:
        return
    if wanted.is_dir() or not wanted.name:
        raise CommandFailed(f"{OPTION} {wanted}: it is a folder; give the name of a file")
    _check_folder(OPTION, wanted, wanted.parent)
    if wanted.exists() and not os.access(wanted, os.W_OK):
        raise CommandFailed(f"{OPTION} {wanted}: it cannot be written")


def _check_folder(option: str, given: Path, folder: Path) -> None:
    made: list[Path] = []
    try:
        for place in (*reversed(folder.parents), folder):
            if not place.exists():
                place.mkdir()
                made.append(place)
        # A folder's bits don't tell of read-only and pretended file systems: a file does.
        with tempfile.TemporaryFile(prefix=".check-", dir=folder):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandFailed(f"{option} {given}: nothing can be written there: {reason}") from None
    finally:
        for place in reversed(made):
            with suppress(OSError):
                place.rmdir()


def _joined(args: list[str], has_arguments: bool) -> list[str]:
    joined: list[str] = []
    rest = iter(args)
    for word in rest:
        if word == "--":
            return [*joined, word, *rest]
        if word != OPTION:
            joined.append(word)
            continue
        after = next(rest, None)
        is_file = after is not None and (
            after.endswith(".json") or not (has_arguments or after.startswith("-"))
        )
        joined.append(f"{OPTION}={after if is_file else PRINTED}")
        if after is not None and not is_file:
            return [*joined, *_joined([after, *rest], has_arguments)]
    return joined
