"""A strategy file: Python text that defines strategies, loaded into a module of its own.

The module is named by a hash of the text: two versions of a file stand side by side in one process,
and the same text, wherever it came from, gives the same classes. The text is all that a document
carries of a file, so the file may import what is installed, and not its neighbours.
"""

import ast
import hashlib
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.abc import InspectLoader
from importlib.util import module_from_spec, spec_from_loader
from inspect import isabstract
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard

from stratvector.strategies.bad_file import (
    BrokenFile,
    NoStrategy,
    NoSuchFile,
    NotAStrategy,
    SameName,
    SeveralStrategies,
    UnknownName,
)
from stratvector.strategies.registry import FILES
from stratvector.trading.strategy import Strategy

HASH_DIGITS = 16
_ANEW = count()
BYTES_MAX = 65_536  # a document carries the text, and each chapter of a run its document


@dataclass(frozen=True)
class StrategyFile(InspectLoader):
    """name : the file's, without folders. text : its Python. place : where it was found, as the
    user wrote it, for sentences.
    """

    name: str
    text: str
    place: str = field(default="", compare=False)

    @property
    def hash(self) -> str:
        """16 hex digits over the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:HASH_DIGITS]

    @property
    def module_name(self) -> str:
        """What its module is called in `sys.modules`."""
        return f"{FILES}.{self.hash}.{Path(self.name).stem.replace('.', '_')}"

    def get_source(self, fullname: str) -> str:
        """The text, for tracebacks and `inspect`."""
        return self.text

    def strategies(self) -> dict[str, type[Strategy]]:
        """The strategies that the file defines, by the names of their classes.

        Raises BrokenFile, SameName.
        """
        found = dict(_defined(self._module()))
        self._refuse_same_names(found)
        return found

    def strategy(self, name: str | None = None) -> type[Strategy]:
        """The one of that name, or the only one.

        Raises BrokenFile, NoStrategy, SeveralStrategies, UnknownName, NotAStrategy, SameName.
        """
        found = self.strategies()
        if name is not None:
            return chosen(found, self._module(), self._shown, name)
        if not found:
            raise NoStrategy(self._shown)
        if len(found) > 1:
            raise SeveralStrategies(self._shown, sorted(found))
        return next(iter(found.values()))

    def anew(self, name: str) -> type[Strategy]:
        """The strategy of that class name out of a module that nothing else uses."""
        module_name = f"{self.module_name}.anew{next(_ANEW)}"
        module = self._run(module_name)
        del sys.modules[module_name]
        kind: type[Strategy] = getattr(module, name)
        return kind

    def is_loaded(self) -> bool:
        """Whether this process has run the text already."""
        return self.module_name in sys.modules

    @property
    def _shown(self) -> str:
        return self.place or self.name

    def _module(self) -> ModuleType:
        """The text's module; its code runs once in a process."""
        known = sys.modules.get(self.module_name)
        return known if known is not None else self._run(self.module_name)

    def _run(self, module_name: str) -> ModuleType:
        spec = spec_from_loader(module_name, self, origin=self._shown)
        assert spec is not None, "a loader is given"
        module = module_from_spec(spec)
        module.__file__ = self._shown
        # `dataclass` and `typing` look a class's module up by name.
        sys.modules[module_name] = module
        try:
            exec(self._code(), vars(module))
        except (Exception, SystemExit) as error:
            del sys.modules[module_name]
            raise self._broken(error) from error
        except BaseException:
            del sys.modules[module_name]
            raise
        return module

    def _code(self) -> Any:
        return compile(self.text, self._shown, "exec", dont_inherit=True)

    def _broken(self, error: BaseException) -> BrokenFile:
        """The error at the user's own line, whatever the library did below it."""
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if isinstance(error, SyntaxError) and error.filename == self._shown:
            line = error.lineno or 0
            reason = f"{type(error).__name__}: {error.msg}"
        else:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [f.lineno or 0 for f in frames if f.filename == self._shown]
            line = lines[-1] if lines else 0
        lines_of_text = self.text.splitlines()
        code = lines_of_text[line - 1].strip() if 0 < line <= len(lines_of_text) else ""
        return BrokenFile(self._shown, line, code, reason)

    def _refuse_same_names(self, found: dict[str, type[Strategy]]) -> None:
        """Python keeps the later one of two definitions, and says nothing."""
        for name, lines in _definitions(self.text).items():
            if name in found and len(lines) > 1:
                raise SameName(self._shown, name, lines)
        names = [called(kind) for kind in found.values()]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise SameName(self._shown, name)


def read_strategy_file(path: Path, place: str = "") -> StrategyFile:
    """The file at a path. place : for sentences, the path by default. Raises NoSuchFile."""
    shown = place or str(path)
    try:
        content = path.read_bytes()
        text = content.decode()
    except FileNotFoundError:
        raise NoSuchFile(shown, "there is no such file") from None
    except IsADirectoryError:
        raise NoSuchFile(shown, "it is a folder, not a file of Python") from None
    except UnicodeDecodeError:
        raise NoSuchFile(shown, "it is not UTF-8 text") from None
    except OSError as error:
        raise NoSuchFile(shown, f"it can't be read: {error.strerror}") from None
    if len(content) > BYTES_MAX:
        rule = f"a strategy file has at most {BYTES_MAX:,}, as documents carry it"
        raise NoSuchFile(shown, f"it has {len(content):,} bytes; {rule}")
    return StrategyFile(path.name, text.replace("\r\n", "\n"), shown)


def file_of(kind: type) -> StrategyFile | None:
    """The strategy file that defines a class; None for a class of a module that is installed."""
    loader = getattr(sys.modules.get(kind.__module__), "__loader__", None)
    return loader if isinstance(loader, StrategyFile) else None


def strategies_in(module: ModuleType) -> dict[str, type[Strategy]]:
    """The strategies that an installed module defines or exports, by name."""
    return {name: value for name, value in vars(module).items() if _is_strategy(value)}


def called(kind: type[Strategy]) -> str:
    """The name that a class goes by; its own where it says none."""
    return str(getattr(kind, "name", kind.__name__))


def chosen(
    found: dict[str, type[Strategy]], module: ModuleType, place: str, name: str
) -> type[Strategy]:
    """The strategy that is called so, by its class or by the name that it goes by.

    Raises NoStrategy, UnknownName, NotAStrategy.
    """
    for key, kind in found.items():
        if name in (key, called(kind)):
            return kind
    if hasattr(module, name):
        raise NotAStrategy(place, name, *_other(getattr(module, name)))
    if not found:
        raise NoStrategy(place)
    raise UnknownName(place, name, sorted(found))


def _defined(module: ModuleType) -> Iterator[tuple[str, type[Strategy]]]:
    for name, value in vars(module).items():
        # An alias is no second strategy.
        if _is_strategy(value) and (value.__module__, value.__name__) == (module.__name__, name):
            yield name, value


def _is_strategy(value: object) -> TypeGuard[type[Strategy]]:
    return isinstance(value, type) and issubclass(value, Strategy) and not isabstract(value)


def _other(value: object) -> tuple[str, str]:
    """What something is that is no strategy of its file, and what to do about it."""
    if isinstance(value, type) and issubclass(value, Strategy):
        if isabstract(value):
            return "an abstract class", "it must say its history and features"
        return f"imported from {value.__module__}", f"name it {value.__module__}:{value.__name__}"
    if isinstance(value, type):
        return "another class", "it must be a class of Strategy"
    if callable(value) and hasattr(value, "__code__"):
        return "a plain function", "put @strategy(history=N) above it"
    return f"a {type(value).__name__}", "it must be a class of Strategy, or stand below @strategy"


def _definitions(text: str) -> dict[str, list[int]]:
    """The lines at which each name is defined as a class or a function, at the top of a file."""
    lines = defaultdict(list)
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            lines[node.name].append(node.lineno)
    return lines
