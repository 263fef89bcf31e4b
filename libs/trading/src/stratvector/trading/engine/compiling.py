"""How engine functions are compiled, and where numba keeps them.

numba's disk cache watches a function's own file only; a change in a function that it calls would
leave a stale cache. So the cache's folder is keyed by a hash of all engine sources, numba's
version and whether bounds are checked.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def engine_hash() -> str:
    """16 hex digits over every source file of this folder: snapshots and caches are keyed by it."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def cache_directory() -> Path:
    """Where compiled code is kept: STRATVECTOR_CACHE, else the user's cache folder, keyed by the
    engine's hash.
    """
    home = os.environ.get("STRATVECTOR_CACHE") or str(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stratvector"
    )
    checked = "-checked" if os.environ.get("NUMBA_BOUNDSCHECK", "0") == "1" else ""
    return Path(home) / "numba" / (engine_hash() + checked)


os.environ["NUMBA_CACHE_DIR"] = str(cache_directory())
numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]  # type: ignore[attr-defined]


_OPTIONS: dict[str, Any] = {"cache": True, "error_model": "numpy", "nogil": True}
# Without reference counts and with every call inlined, passing the engine's arrays from function to
# function costs nothing (measured: a hundred times less than with both).
_LOOP_OPTIONS: dict[str, Any] = {**_OPTIONS, "_nrt": False, "forceinline": True}


def engine_jit(function: Function) -> Function:
    """Compile one engine function: cached on disk, IEEE arithmetic, no fastmath, no GIL.

    It can't allocate: numba refuses to compile an engine function that makes an array.
    """
    return cast(Function, numba.njit(**_LOOP_OPTIONS)(function))


def allocating_jit(function: Function) -> Function:
    """Compile a function that makes arrays: called before a loop, never inside."""
    return cast(Function, numba.njit(**_OPTIONS)(function))
