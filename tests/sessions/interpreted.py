"""A second copy of the engine inside the same process, run by Python instead of compiled."""

import importlib
import sys
from types import ModuleType

import numba

TWICE = ("stratvector.trading", "tests.sessions")


def interpreted_modules(*names: str) -> list[ModuleType]:
    """The named modules, imported anew with numba's compiler off; the compiled ones stay in
    place."""
    compiled = {name: m for name, m in sys.modules.items() if _is_ours(name)}
    _swap(compiled, {})
    before = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
    numba.config.DISABLE_JIT = True  # type: ignore[attr-defined]
    try:
        return [importlib.import_module(name) for name in names]
    finally:
        numba.config.DISABLE_JIT = before  # type: ignore[attr-defined]
        _swap({name: m for name, m in sys.modules.items() if _is_ours(name)}, compiled)


def _is_ours(name: str) -> bool:
    return name.startswith(TWICE)


def _swap(out: dict[str, ModuleType], back: dict[str, ModuleType]) -> None:
    """Take modules out of Python's table, and put others in, also as attributes of their
    parents."""
    for name in out:
        del sys.modules[name]
    sys.modules.update(back)
    for name in TWICE:
        if name in back:
            parent, _, child = name.rpartition(".")
            setattr(sys.modules[parent], child, back[name])
