"""How commands end: done (0), with a sentence (1), for a wrong option (2), for a session that can't
be run until a person puts something right (78, as a service's process says it), by Ctrl-C (130),
which is also how SIGTERM and SIGHUP end them.

A user's mistake is a sentence. A mistake of ours is a sentence too, and its traceback is a line of
errors.log in the logs.
"""

import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import ParamSpec

import typer

from stratvector.cli.console import complain
from stratvector.cli.logs import RESULTS, append, logs_of

FAILED, REFUSED, INTERRUPTED = 1, 78, 130

Parameters = ParamSpec("Parameters")


class CommandFailed(Exception):
    """A command cannot do what was asked; the message is one sentence for the user."""

    exit_code = FAILED


class Interrupted(Exception):
    """Ctrl-C ended a run in good order; the message says how to go on."""


def end_as_by_ctrl_c() -> None:
    """From now on SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does, so that what is half
    written is removed on the way out.

    Only in a main thread. Under nohup, which has SIGHUP ignored, it stays ignored.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(number: int, _: FrameType | None) -> None:
    if number == signal.SIGHUP:
        # A closed terminal says so more than once; that must not cut the way out short.
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def guarded(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Let a command end in a sentence and an exit code, never in a traceback."""

    @functools.wraps(command)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            complain("interrupted before the end; a run that was under way left no results")
            raise typer.Exit(INTERRUPTED) from None
        except Interrupted as interruption:
            complain(str(interruption))
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read the output has left; Python's own flush at exit must not fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAILED) from None
        except Exception as error:  # noqa: BLE001  the last place that can still say it well
            complain(_sentence(error, kwargs.get("out")))
            raise typer.Exit(_exit_code(error)) from None

    return run


def _exit_code(error: Exception) -> int:
    from stratvector.runtime.jetstream.provisioner import LogLost
    from stratvector.runtime.process.cannot_start import CannotStart
    from stratvector.runtime.session_document import BadSession

    if isinstance(error, CommandFailed):
        return error.exit_code
    return REFUSED if isinstance(error, BadSession | CannotStart | LogLost) else FAILED


def _sentence(error: Exception, out: object) -> str:
    """out : where the command's results go, if it has any."""
    from stratvector.config.bad_config import BadConfig
    from stratvector.runtime.certificates import BadCertificate
    from stratvector.runtime.deployment import ServiceMissing
    from stratvector.runtime.documents import StaleDocument
    from stratvector.runtime.jetstream.connection import BusConnectionError
    from stratvector.runtime.jetstream.keys import BadSeedFile
    from stratvector.runtime.jetstream.provisioner import ProvisioningError
    from stratvector.runtime.jetstream.server import NatsServerError
    from stratvector.runtime.process.cannot_start import CannotStart
    from stratvector.runtime.session_document import BadSession
    from stratvector.trading.bad_strategy import BadStrategy

    ours = CommandFailed | BadConfig | BadSession | BadStrategy | CannotStart | ServiceMissing
    bus = NatsServerError | BusConnectionError | ProvisioningError | BadSeedFile | StaleDocument
    if isinstance(error, ours | bus | BadCertificate):
        return str(error)
    if isinstance(error, OSError):
        reason = (error.strerror or str(error)).lower()
        return reason if error.filename is None else f"{error.filename}: {reason}"
    return f"{type(error).__name__}: {error}; this is a defect, its traceback is {_log(error, out)}"


def _log(error: Exception, out: object) -> str:
    """Where the traceback is: in a file, or here, where no file can be written."""
    lines = "".join(traceback.format_exception(error))
    folder = logs_of(out if isinstance(out, Path) else RESULTS)
    try:
        file = append("errors", [{"command": sys.argv[1:], "traceback": lines}], folder)
    except OSError:
        return f"this:\n{lines}"
    return f"in {file}"
