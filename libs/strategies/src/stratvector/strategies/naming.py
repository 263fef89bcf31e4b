"""How a strategy is named: a registered id, `package.module:Class`, or `path/file.py:name`."""

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from stratvector.strategies.bad_file import NoSuchModule
from stratvector.strategies.bad_strategy import UnknownModel
from stratvector.strategies.registry import MODELS, check_complete, made
from stratvector.strategies.strategy_files import (
    StrategyFile,
    chosen,
    read_strategy_file,
    strategies_in,
)
from stratvector.trading.strategy import Strategy

FILE = re.compile(r"(?P<path>.+\.py)(?::(?P<name>[^:/]+))?", re.DOTALL)
MODULE = re.compile(r"(?P<module>[^:/]+):(?P<name>[^:/]+)")


def find_strategy(reference: str, beside: Path = Path()) -> type[Strategy]:
    """The class that a reference names.

    beside : the folder that a relative path starts from. `file.py` alone will do where the file
    defines one strategy only. Raises StrategyNotFound, NotRegistrable, and UnknownModel for what is
    neither a path, a module nor an id.
    """
    if (file := FILE.fullmatch(reference)) is not None:
        kind = named_file(reference, beside).strategy(file["name"])
    elif (module := MODULE.fullmatch(reference)) is not None:
        found = _imported(module["module"])
        kind = chosen(strategies_in(found), found, module["module"], module["name"])
    elif reference in MODELS:
        return MODELS[reference]
    else:
        raise UnknownModel(reference, tuple(sorted(MODELS)))
    check_complete(kind)
    return kind


def named_file(reference: str, beside: Path = Path()) -> StrategyFile:
    """The file that a reference of that form names. Raises NoSuchFile."""
    file = FILE.fullmatch(reference)
    assert file is not None, "ask is_file first"
    return read_strategy_file(beside / file["path"], file["path"])


def is_file(reference: str) -> bool:
    """Whether a reference names a file."""
    return FILE.fullmatch(reference) is not None


def create_named(
    reference: str, parameters: Mapping[str, Any], bars_per_day: int = 1, beside: Path = Path()
) -> Strategy:
    """The strategy that a reference names with these parameters, defaults for the others.

    Raises what `find_strategy` and `registry.create` raise.
    """
    return made(find_strategy(reference, beside), parameters, bars_per_day)


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise NoSuchModule(name, reason) from error
