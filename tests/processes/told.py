"""What a command that runs tells on standard error."""

import subprocess


def wait_for(process: subprocess.Popen[str], words: str) -> str:
    """Read standard error up to the line with these words; all that was read."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            return said
    raise AssertionError(f"the command ended without saying {words!r}")
