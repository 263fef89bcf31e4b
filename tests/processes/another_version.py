"""The same code with another engine's hash, for processes that are to be another version."""

import shutil
from pathlib import Path

from stratvector.trading import engine
from tests.processes.service_process import ROOT


def another_version(folder: Path) -> dict[str, str]:
    """The environment of processes that import a copy with one more comment in the engine.
    Interpreted: it need not be compiled once more, and gives the same bits.
    """
    copied = folder / "stratvector" / "trading"
    source = Path(engine.__path__[0]).parent
    shutil.copytree(source, copied, ignore=shutil.ignore_patterns("__pycache__"))
    with (copied / "engine" / "arithmetic.py").open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    return {"PYTHONPATH": f"{folder}:{ROOT}", "NUMBA_DISABLE_JIT": "1"}
