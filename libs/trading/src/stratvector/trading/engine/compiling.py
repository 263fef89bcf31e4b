"""How engine functions are compiled, and where numba keeps them.

numba's disk cache watches a function's own file only; a change in a function that it calls would
leave a stale cache. So the cache's folder is keyed by a hash of all engine sources, numba's
version and whether bounds are checked. Nor does numba lock it: of two processes that save at once,
both may take the same number, and what is loaded later may be the other's code. Here they wait.

Where numba's own switch NUMBA_DISABLE_JIT is 1, numba is not even imported: a process that calls
little of the engine is spared its 80 MB and half a second, and gets the same bits.
"""

import fcntl
import hashlib
import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


def engine_hash() -> str:
    """16 hex digits over every source file of this folder: snapshots and caches are keyed by it."""
    digest = hashlib.sha256(_numba_version().encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _numba_version() -> str:
    """The one that is installed; where none is, the one that this package asks for."""
    try:
        return importlib.metadata.version("numba")
    except importlib.metadata.PackageNotFoundError:
        needs = importlib.metadata.requires("stratvector-trading") or []
        (pinned,) = (need for need in needs if need.startswith("numba=="))
        return pinned.removeprefix("numba==").partition(";")[0].strip()


def cache_directory() -> Path:
    """Where compiled code is kept: STRATVECTOR_CACHE, else the user's cache folder, keyed by the
    engine's hash.
    """
    home = os.environ.get("STRATVECTOR_CACHE") or str(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stratvector"
    )
    checked = "-checked" if os.environ.get("NUMBA_BOUNDSCHECK", "0") == "1" else ""
    return Path(home) / "numba" / (engine_hash() + checked)


IS_INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT") == "1"
if not IS_INTERPRETED:
    import numba
    from numba.core import caching

    os.environ["NUMBA_CACHE_DIR"] = str(cache_directory())
    numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]  # type: ignore[attr-defined]

    class _OneWriter(caching.IndexDataCacheFile):
        """A function's index and code on disk, written by one process at a time."""

        def save(self, key: object, data: object) -> None:
            """Add or replace the code of one signature."""
            with Path(self._index_path).with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                super().save(key, data)  # type: ignore[no-untyped-call]

    caching.IndexDataCacheFile = _OneWriter  # type: ignore[misc]


_OPTIONS: dict[str, Any] = {"cache": True, "error_model": "numpy", "nogil": True}
# Without reference counts and with every call inlined, passing the engine's arrays from function to
# function costs nothing (measured: a hundred times less than with both).
_LOOP_OPTIONS: dict[str, Any] = {**_OPTIONS, "_nrt": False, "forceinline": True}


def engine_jit(function: Function) -> Function:
    """Compile one engine function: cached on disk, IEEE arithmetic, no fastmath, no GIL.

    It can't allocate: numba refuses to compile an engine function that makes an array.
    """
    return _compiled(function, _LOOP_OPTIONS)


def allocating_jit(function: Function) -> Function:
    """Compile a function that makes arrays: called before a loop, never inside."""
    return _compiled(function, _OPTIONS)


def _compiled(function: Function, options: dict[str, Any]) -> Function:
    if IS_INTERPRETED:
        return function
    return cast(Function, numba.njit(**options)(function))
