"""What a command that runs tells on standard error."""

import subprocess


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    """Read standard error up to the line with these words."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"the command ended without saying {words!r}")
