"""`stratvector backtest check` and `stratvector new strategy`: a strategy of one's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stratvector.cli.console import aside
from stratvector.cli.failures import FAILED, CommandFailed, guarded
from stratvector.cli.outputs import AsJson, Commands, check_outputs, emit

if TYPE_CHECKING:
    from rich.console import Console

    from stratvector.strategies import Certificate, Violation
    from stratvector.trading.bars import Bars
    from stratvector.trading.strategy import Strategy

new = Commands(no_args_is_help=True, help="Begin something of one's own.")


@new.callback()
def _new() -> None:
    """Begin something of one's own."""


@guarded
def check(
    strategy: Annotated[
        str,
        typer.Argument(
            metavar="STRATEGY", help="A registered id, package.module:Class, or path/file.py:name."
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also over these bars, CSV or Parquet; their last part."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter; defaults for the others."),
    ] = None,
    bars_per_day: Annotated[
        int, typer.Option(metavar="N", min=1, help="Closes of the universe in a day.")
    ] = 1,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the made-up bars.")] = 0,
    json: AsJson = None,
) -> None:
    """Prove that a strategy neither looks ahead nor remembers more than its history.

    The future is scrambled at every close of short panels and at random ones of a long one, and
    each close of the long one is computed again from its window alone. 0 only when all holds.
    """
    from stratvector.strategies.naming import create_named

    check_outputs(json)
    made = create_named(strategy, _parameters(given or []), bars_per_day)
    certificate = _examined(made, None if data is None else _bars(data), seed)
    emit(json, _document(strategy, certificate), _print, certificate)
    if not certificate.holds:
        raise typer.Exit(FAILED)


@new.command("strategy", epilog="Example: stratvector new strategy above_average")
@guarded
def new_strategy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower case, such as above_average.")],
    to: Annotated[Path, typer.Option(metavar="DIR", help="The folder that they go to.")] = Path(),
    json: AsJson = None,
) -> None:
    """Write NAME.py, a strategy of ten lines, test_NAME.py and NAME.yaml, a configuration."""
    from stratvector.cli.strategy_template import write_strategy

    check_outputs(json)
    files = [str(file) for file in write_strategy(name, to)]
    document = {"strategy": name, "files": files, "next": _next(name, to)}
    emit(json, document, _print_new, document)


def _next(name: str, to: Path) -> list[str]:
    return [
        f"stratvector backtest check {to / name}.py",
        f"stratvector backtest run --config {to / name}.yaml",
        f"pytest {to / f'test_{name}.py'}",
    ]


def _print_new(console: "Console", document: dict[str, Any]) -> None:
    for file in document["files"]:
        console.print(f"wrote {file}", soft_wrap=True)
    for command in document["next"]:
        console.print(f"next: {command}", soft_wrap=True)


def _parameters(given: list[str]) -> dict[str, Any]:
    """NAME=VALUE, each value as YAML reads it. Raises CommandFailed."""
    from stratvector.runtime.plain_yaml import NotPlainYaml, parse_plain_yaml

    parameters: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise CommandFailed(f"--set is {each!r}; write NAME=VALUE, such as window=50")
        if name in parameters:
            raise CommandFailed(f"--set names {name} twice")
        try:
            parameters[name] = parse_plain_yaml(value)
        except NotPlainYaml as error:
            raise CommandFailed(f"--set {name}: {error}") from None
    return parameters


def _bars(data: Path) -> "Bars":
    from stratvector.market import read_bars

    try:
        return read_bars(str(data))
    except ValueError as error:
        raise CommandFailed(f"--data {data}: {error}") from None


def _examined(strategy: "Strategy", bars: "Bars | None", seed: int) -> "Certificate":
    from rich.progress import Progress

    from stratvector.strategies.certificates import examine, planned

    total = sum(trial.steps for trial in planned(strategy, bars, seed))
    with Progress(console=aside(), transient=True) as progress:
        task = progress.add_task("check", total=total)
        return examine(strategy, bars, seed, progress=lambda: progress.advance(task))


def _print(console: "Console", certificate: "Certificate") -> None:
    console.print(str(certificate), soft_wrap=True, markup=False)
    verdict = "holds" if certificate.holds else "does not hold"
    console.print(f"The certificate {verdict}, tried on {certificate.closes:,} closes.")


def _document(reference: str, certificate: "Certificate") -> dict[str, Any]:
    from stratvector.runtime.session_document import described

    strategy = certificate.strategy
    facts = {key: value for key, value in described(strategy).items() if key != "code"}
    return {
        "reference": reference,
        "strategy": strategy.name,
        **facts,
        "history": int(strategy.history),
        "closes": certificate.closes,
        "holds": certificate.holds,
        "sentence": certificate.complaint or None,
        "repeatability": _told(certificate.repeatability),
        "causality": _told(certificate.causality),
        "bounded_memory": _told(certificate.bounded_memory),
    }


def _told(violation: "Violation | None") -> dict[str, Any] | None:
    from stratvector.trading.timestamps import utc_text

    if violation is None:
        return None
    return {
        "quantity": violation.quantity,
        "symbol": violation.symbol,
        "close": violation.close,
        "close_time": utc_text(violation.close_time),
        "expected": repr(violation.expected),
        "found": repr(violation.found),
        "circumstance": violation.circumstance,
        "sentence": str(violation),
    }
