"""logs: one JSON object per line on standard output, from this program and from its libraries.

    {"time": "2026-01-02T03:04:05.678901Z", "level": "info", "event": "state",
     "service": "risk", "instance": …, "logger": "stratvector", …}

Time is UTC. A line that is written while a message is handled carries the `trace_id` of its close,
one that is written while a question is answered that of the caller's trace, where traces are on; so
does what is bound with `structlog.contextvars`.
Libraries are heard from `warning` on, or when everything is wanted.
"""

import asyncio
import logging
import sys
import threading
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.ports import Stored
from stratvector.runtime.process.settings import ProcessSettings
from stratvector.runtime.process.telemetry import current_trace

OURS = "stratvector"
FIRST = ("time", "level", "event")


def configure_logs(service: str, instance: str, settings: ProcessSettings) -> None:
    """Send everything that this process logs, warns or dies of to standard output."""
    verbose = settings.verbose_logging or settings.debug_mode
    level = logging.DEBUG if verbose else logging.getLevelName(settings.log_level.upper())

    def name_the_process(_: Any, __: str, event: EventDict) -> EventDict:
        first = {key: event.pop(key) for key in FIRST}
        return first | {"service": service, "instance": instance} | dict(event)

    shared: list[Processor] = [
        name_the_trace,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        name_the_process,
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    libraries = level if verbose else max(level, logging.WARNING)
    logging.basicConfig(handlers=[handler], level=libraries, force=True)
    logging.getLogger(OURS).setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _log_exception
    threading.excepthook = _log_thread


def name_the_trace(_: Any, __: str, event: EventDict) -> EventDict:
    """Add the trace of the message at hand, else of the span: asked only when a line is written."""
    trace = trace_of(AT_HAND.get())
    if not trace and (trace_id := current_trace()):
        trace = {"trace_id": trace_id}
    return trace | dict(event)


def trace_of(stored: Stored | None) -> dict[str, str]:
    """`trace_id` of a message's close, or nothing where it is not known."""
    trace_id = "" if stored is None else stored.message.trace_id
    return {"trace_id": trace_id} if trace_id else {}


def log_loop_errors(loop: asyncio.AbstractEventLoop) -> None:
    """What asyncio would only tell standard error becomes a line of the log."""

    def log(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        logger().error("asyncio", detail=context["message"], exc_info=error)

    loop.set_exception_handler(log)


def described(error: BaseException | None) -> str:
    """An error in a line: what it is and what it says."""
    return f"{type(error).__name__}: {error}"


def logger() -> FilteringBoundLogger:
    """The logger of the process."""
    found: FilteringBoundLogger = structlog.get_logger(OURS)
    return found


def _log_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logger().critical("uncaught", exc_info=(kind, error, trace))


def _log_thread(arguments: threading.ExceptHookArgs) -> None:
    name = arguments.thread.name if arguments.thread else "?"
    error = arguments.exc_value
    logger().error("thread_failed", thread=name, exc_info=error)
