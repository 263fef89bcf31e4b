"""Run a command that dies with its supervisor: python bound.py SUPERVISOR_PID NICENESS COMMAND…

A supervisor that is killed at once (kill -9, out of memory) can't end its children; left alone they
would hold ports, leases and the store of the bus, and the next start would find them. So the kernel
is asked to do it (PR_SET_PDEATHSIG). The request must come from the child's side of the fork, and
Python code between fork and exec may deadlock in a process with threads; hence this small program,
that asks and then becomes the command. It imports nothing of the house, to start within
milliseconds. The request belongs to the thread that forked: children are started by the main one.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_FOUND = 127


def main(arguments: list[str]) -> int:
    """Ask, look whether the supervisor is still there, become the command."""
    supervisor, niceness, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        # It died before the kernel knew of the request.
        return 1
    os.nice(niceness)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {(error.strerror or '').lower()}\n")
    return NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
