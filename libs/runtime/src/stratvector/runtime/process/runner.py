"""runner: `run_service` and `run_plain_service`: a service's `__main__` calls one, whose answer is
its exit code.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import uvloop
from prometheus_client import CollectorRegistry, disable_created_metrics

from stratvector.runtime.process.arguments import settings_file_of
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.file_modes import keep_files_private
from stratvector.runtime.process.finding import BEGUN, Finding
from stratvector.runtime.process.foundation import (
    BuildPlainService,
    BuildService,
    BusFoundation,
    Foundation,
    PlainFoundation,
    new_instance,
)
from stratvector.runtime.process.leftovers import left_in_process, left_tasks, open_sockets
from stratvector.runtime.process.life import FAILED, REFUSED, Life
from stratvector.runtime.process.logs import configure_logs, described, logger
from stratvector.runtime.process.metrics import ProcessMetrics
from stratvector.runtime.process.settings import BusSettings, Settings, load_settings
from stratvector.runtime.process.settings_file import BadSettings
from stratvector.runtime.process.telemetry import start_telemetry
from stratvector.runtime.process.transport import start_transport
from stratvector.trading.flow import COMPUTING, produced_by

WRONG_SETTINGS = 2
EXECUTOR_SECONDS_MAX = 2.0
LAST_SPANS_SECONDS_MAX = 2.0


MakeFoundation = Callable[[Settings, str, ProcessMetrics], Foundation]


def run_service(
    service: str,
    settings_type: type[BusSettings],
    build: BuildService[BusSettings],
    finding: Finding = BEGUN,
) -> int:
    """Run a service on the bus as this process until it is told to stop; its exit code.

    build : makes the service, once. finding : how it comes to its portfolios.

    0 stopped cleanly, 1 failed or left something behind, 2 wrong settings, 78 can't work until a
    person puts something right. When something is left that would keep the process from ending, it
    is ended here.
    """

    def on_bus(settings: BusSettings, instance: str, metrics: ProcessMetrics) -> Foundation:
        has_lanes, engine = bool(produced_by(service)), _engine_of(service)
        return BusFoundation(settings, instance, metrics, build, finding, has_lanes, engine)

    return _run(service, settings_type, on_bus)


def _engine_of(service: str) -> str:
    """See `Ports`; a process of another service loads no compiler."""
    if service not in COMPUTING:
        return ""
    from stratvector.trading.engine.compiling import engine_hash

    return engine_hash()


def run_plain_service(
    service: str, settings_type: type[Settings], build: BuildPlainService[Settings]
) -> int:
    """The same for a service without a bus."""

    def plain(settings: Settings, instance: str, metrics: ProcessMetrics) -> Foundation:
        return PlainFoundation(settings, build)

    return _run(service, settings_type, plain)


def _run(
    service: str, settings_type: type[Settings], make_foundation: MakeFoundation[Settings]
) -> int:
    keep_files_private()
    sockets = open_sockets()
    instance = new_instance(service)
    try:
        file = settings_file_of(service, settings_type)
        settings = load_settings(service, settings_type, file)
    except BadSettings as error:
        _tell(service, str(error))
        return WRONG_SETTINGS
    configure_logs(service, instance, settings)
    disable_created_metrics()  # type: ignore[no-untyped-call]
    logger().info("started", pid=os.getpid())
    # A turn of this loop costs a fraction of the standard one's, and a hop is mostly turns.
    with asyncio.Runner(debug=settings.debug_mode, loop_factory=uvloop.new_event_loop) as loop:
        code = loop.run(_live(service, instance, settings, make_foundation))
    if left := left_in_process(sockets):
        _report(left)
        _end(FAILED)
    logger().info("stopped", code=code)
    return code


async def _live(
    service: str, instance: str, settings: Settings, make_foundation: MakeFoundation[Settings]
) -> int:
    """A whole life; what holds the loop afterwards is told, and ended with the process."""
    metrics = ProcessMetrics(CollectorRegistry())
    telemetry = start_telemetry(service, instance, settings, metrics)
    try:
        transport = start_transport(service, settings)
        if transport is not None:
            metrics.watch_certificate(transport.certificates)
        foundation = make_foundation(settings, instance, metrics)
        code = await Life(service, instance, settings, metrics, foundation).run()
    except CannotStart as error:
        _refuse(service, str(error))
        code = FAILED if error.may_heal else REFUSED
    except Exception as error:  # noqa: BLE001 - whatever a service raises ends it, told in its log
        logger().critical("defect", reason=described(error), exc_info=True)
        code = FAILED
    if telemetry is not None:
        await telemetry.close(LAST_SPANS_SECONDS_MAX)
    if held := [*await left_tasks(), *await _left_in_executor()]:
        _report(held)
        _end(FAILED)
    return code


async def _left_in_executor() -> list[str]:
    """Work on the loop's own threads that goes on; closing the loop would wait for it for ever."""
    loop = asyncio.get_running_loop()
    shutdown = asyncio.create_task(loop.shutdown_default_executor())
    await asyncio.wait({shutdown}, timeout=EXECUTOR_SECONDS_MAX)
    return [] if shutdown.done() else ["a call on a thread of the event loop"]


def _refuse(service: str, sentence: str) -> None:
    """One sentence to the user, and the same to the log."""
    logger().error("refused", reason=sentence)
    _tell(service, sentence)


def _tell(service: str, sentence: str) -> None:
    sys.stderr.write(f"{service}: {sentence}\n")
    sys.stderr.flush()


def _report(left: list[str]) -> None:
    logger().error("left_behind", left=left)


def _end(code: int) -> NoReturn:
    """End without waiting for anything that is still there."""
    logging.shutdown()
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(code)
