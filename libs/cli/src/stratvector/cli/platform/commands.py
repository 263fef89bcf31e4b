"""commands: what starts each service's process."""

import shutil
import sys
from pathlib import Path

from stratvector.cli.failures import CommandFailed

MONTE_CARLO = "stratvector-monte-carlo"


def command_of(service: str, settings: Path) -> list[str]:
    """The command of a service on a settings file. Raises CommandFailed.

    `-P`: a `numpy.py` in the folder where the user stands is nobody's numpy.
    """
    told = ["--settings", str(settings)]
    if service == "monte_carlo":
        return [find_monte_carlo(), *told]
    return [sys.executable, "-P", "-m", f"stratvector.services.{service}", *told]


def find_monte_carlo() -> str:
    """The Monte Carlo program, beside this Python or on the PATH. Raises CommandFailed."""
    beside = Path(sys.executable).parent / MONTE_CARLO
    if beside.is_file():
        return str(beside)
    if (found := shutil.which(MONTE_CARLO)) is not None:
        return found
    raise CommandFailed(f"{MONTE_CARLO} is not installed; `make setup` builds it")
