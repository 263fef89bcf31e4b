"""code_hash: whether a class is what it was when its certificate was earned.

Over the code itself rather than its file, so that it serves notebooks, scripts and strategy files
alike: the functions of a class and of its bases, the functions, classes and constants of its own
package that they name, their defaults and closures. What is installed beside it is not followed.
"""

import hashlib
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

HOUSE = "stratvector"
PLAIN = (int, float, complex, str, bytes, bool, type(None))


def is_of_the_house(kind: type) -> bool:
    """Whether a class comes with this library, whose tests certify it."""
    return kind.__module__.split(".")[0] == HOUSE


def code_hash(kind: type) -> str:
    """64 hex digits over what a class is made of."""
    digest = hashlib.sha256()
    for part in _parts(kind, _package(kind.__module__), set()):
        digest.update(part.encode() + b"\x1f")
    return digest.hexdigest()


def _parts(value: Any, package: str, seen: set[int]) -> Iterator[str]:
    """The parts of a class, function or constant, each once."""
    value = _unwrapped(value)
    if isinstance(value, PLAIN):
        yield repr(value)
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value if isinstance(value, list | tuple) else sorted(value, key=repr):
            yield from _parts(one, package, seen)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield repr(key)
            yield from _parts(one, package, seen)
    elif isinstance(value, FunctionType):
        yield from _function(value, package, seen)
    elif isinstance(value, type):
        yield from _class(value, package, seen)


def _class(kind: type, package: str, seen: set[int]) -> Iterator[str]:
    yield f"{kind.__module__}:{kind.__qualname__}" if is_of_the_house(kind) else kind.__qualname__
    if is_of_the_house(kind) or _package(kind.__module__) != package:
        return
    for base in kind.__mro__[1:]:
        yield from _parts(base, package, seen)
    for name, value in sorted(vars(kind).items()):
        if name not in _OF_EVERY_CLASS:
            yield name
            yield from _parts(value, package, seen)


def _function(function: FunctionType, package: str, seen: set[int]) -> Iterator[str]:
    if _package(function.__module__ or "") != package:
        yield f"{function.__module__}:{function.__qualname__}"
        return
    yield from _code(function.__code__)
    for value in (function.__defaults__, function.__kwdefaults__):
        yield from _parts(value, package, seen)
    for cell in function.__closure__ or ():
        try:
            yield from _parts(cell.cell_contents, package, seen)
        except ValueError:  # a cell that is still empty
            continue
    for name in sorted(_names(function.__code__)):
        value = function.__globals__.get(name)
        if not isinstance(value, ModuleType):
            yield name
            yield from _parts(value, package, seen)


def _code(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant)


def _names(code: CodeType) -> set[str]:
    inner = (_names(one) for one in code.co_consts if isinstance(one, CodeType))
    return set(code.co_names).union(*inner)


def _unwrapped(value: Any) -> Any:
    """The function in a method, a property or what numba has compiled."""
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    if isinstance(value, property):
        value = value.fget
    return getattr(value, "py_func", value)


def _package(module: str) -> str:
    """What belongs together: a package, or all that a strategy file or a notebook defines."""
    return module.split(".")[0]


_OF_EVERY_CLASS = {
    "__dict__",
    "__doc__",
    "__module__",
    "__weakref__",
    "__abstractmethods__",
    "__dataclass_params__",
    "__dataclass_fields__",
    "__firstlineno__",
    "__static_attributes__",
    "_abc_impl",
}
