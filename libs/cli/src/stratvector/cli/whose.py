"""whose: who runs a command, as documents name who wished them."""

import getpass
import os


def user_name() -> str:
    """The user's name; the number of one that has none, as a container's often."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # which of them depends on Python's version
        return f"uid {os.getuid()}"
