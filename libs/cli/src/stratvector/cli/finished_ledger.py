"""finished_ledger: the ledger of a session that does not run, asked like one that does.

The ledger service's own reader answers on a port of this machine for as long as a command asks; it
changes nothing in the session's folder.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stratvector.cli.failures import CommandFailed

READER = (sys.executable, "-P", "-m", "stratvector.services.ledger.recorded")
END_SECONDS_MAX = 10.0
LEDGER = "ledger.db"


@contextmanager
def finished_ledger(session: Path) -> Iterator[str]:
    """The address of a reader on a session's or a run's folder. Raises CommandFailed."""
    from stratvector.cli.platform.run_folder import DOCUMENT
    from stratvector.cli.stored_log import session_folder

    folder = session_folder(session).absolute()
    told = ["--document", str(folder / DOCUMENT), "--database", f"sqlite:///{folder / LEDGER}"]
    command = [*READER, *told]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as reader:  # type: ignore[call-overload]
        address = reader.stdout.readline().strip()
        try:
            if not address:
                raise CommandFailed(_last_line(reader.stderr.read()))
            yield address
        finally:
            # The end of its input tells it to leave.
            reader.stdin.close()
            try:
                reader.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                reader.kill()


def _last_line(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1] if lines else "the ledger's reader ended without a word"
