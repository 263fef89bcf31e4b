"""file_modes: results, logs and ledgers are for their user and group alone, whatever the umask."""

import os

FORBIDDEN = 0o027  # nothing for others, no writing for the group


def keep_files_private() -> None:
    """From here on, files of this process and its children are 0640 or tighter, folders 0750."""
    os.umask(os.umask(FORBIDDEN) | FORBIDDEN)
