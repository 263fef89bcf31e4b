"""source_hash: whether a strategy's code is still what it was, whatever its version says."""

import hashlib
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT_PARTS = 2  # of a module's name: `stratvector.strategies`, or a user's package and module
BENEATH = (("stratvector", "trading"), ("abc",), ("builtins",))


@cache
def source_hash(kind: type) -> str:
    """16 hex digits over the source files that a class is made of: those of its bases, and of what
    these import from the same package; what every strategy stands on is left out. Empty where there
    are no files, as in a notebook.
    """
    found: dict[str, ModuleType] = {}
    for base in kind.__mro__:
        if _root(base.__module__) not in BENEATH:
            _collect(base.__module__, found)
    sources = {name: text for name, module in found.items() if (text := _source(module))}
    if not sources:
        return ""
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name}\x1f".encode() + hashlib.sha256(sources[name]).digest())
    return digest.hexdigest()[:16]


def _collect(name: str, found: dict[str, ModuleType]) -> None:
    """A module, and the modules of its package whose things stand in it."""
    module = sys.modules.get(name)
    if module is None or name in found:
        return
    found[name] = module
    root = _root(name)
    for value in list(vars(module).values()):
        if hasattr(module, "__path__") and isinstance(value, ModuleType):
            continue  # which of a package's modules are loaded differs from process to process
        other = _module_of(value)
        if other and _root(other) == root:
            _collect(other, found)


def _module_of(value: Any) -> str:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return name if isinstance(name, str) else ""


def _root(name: str) -> tuple[str, ...]:
    return tuple(name.split(".")[:ROOT_PARTS])


def _source(module: ModuleType) -> bytes:
    # What was loaded from a text is that text, whatever the file says by now.
    if isinstance(text := getattr(getattr(module, "__loader__", None), "text", None), str):
        return text.encode()
    file = getattr(module, "__file__", None)
    if not file or not Path(file).is_file():
        return b""
    return Path(file).read_bytes()
