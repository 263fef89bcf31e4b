"""Whatever a process says is one JSON object per line on standard output."""

import json
import subprocess
import sys
from typing import Any

SCRIPT = """
import asyncio, logging, sys, threading, warnings
import structlog
from stratvector.runtime.process.logs import configure_logs, log_loop_errors, logger
from stratvector.runtime.process.settings import ServiceSettings

configure_logs("risk", "risk-1", ServiceSettings(**{settings}))
{body}
"""


def lines(body: str, **settings: Any) -> list[dict[str, Any]]:
    code = SCRIPT.format(settings=settings, body=body)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_line_says_when_how_severe_what_and_who() -> None:
    (line,) = lines("logger().info('state', state='owner', place=__import__('pathlib').Path('/x'))")
    assert list(line)[:5] == ["time", "level", "event", "service", "instance"]
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "state",
        "service": "risk",
        "instance": "risk-1",
        "state": "owner",
        "place": "/x",
        "logger": "stratvector",
    }


def test_a_bound_trace_id_stands_in_each_line_also_in_a_librarys() -> None:
    body = "structlog.contextvars.bind_contextvars(trace_id='abc')\nlogger().info('one')\n"
    found = lines(body + "logging.getLogger('library').warning('two %s', 2)")
    assert [(line["event"], line["trace_id"]) for line in found] == [
        ("one", "abc"),
        ("two 2", "abc"),
    ]
    assert found[1]["logger"] == "library"


def test_a_line_carries_the_trace_of_the_message_at_hand() -> None:
    body = (
        "from stratvector.runtime.at_hand import AT_HAND\n"
        "from stratvector.runtime.ports import Message, Stored\n"
        "logger().info('before')\n"
        "AT_HAND.set(Stored(Message('bars.x.1H', 'id', b'', 1, trace_id='abc'), 7, 0))\n"
        "logger().info('with')\nlogging.getLogger('library').warning('too')\n"
        "AT_HAND.set(Stored(Message('bars.x.1H', 'id', b'', 1), 8, 7))\nlogger().info('untold')"
    )
    told = [(line["event"], line.get("trace_id")) for line in lines(body)]
    assert told == [("before", None), ("with", "abc"), ("too", "abc"), ("untold", None)]


def test_libraries_are_heard_from_warning_on_or_when_everything_is_wanted() -> None:
    body = (
        "logging.getLogger('library').info('chatter')\nlogger().debug('detail')\n"
        "logger().info('news')"
    )
    assert [line["event"] for line in lines(body)] == ["news"]
    assert [line["event"] for line in lines(body, log_level="error")] == []
    everything = [line["event"] for line in lines(body, verbose_logging=True)]
    assert everything == ["chatter", "detail", "news"]


def test_warnings_threads_tasks_and_what_nobody_caught_are_logged_with_their_tracebacks() -> None:
    body = """
warnings.warn("old")
def fail(): raise ValueError("planted")
thread = threading.Thread(target=fail, name="planted"); thread.start(); thread.join()
async def forget():
    log_loop_errors(asyncio.get_running_loop())
    task = asyncio.create_task(asyncio.sleep(0)); await task
    asyncio.get_running_loop().call_soon(fail); await asyncio.sleep(0)
asyncio.run(forget())
fail()
"""
    warned, thread, loop, uncaught = lines(body)
    assert "UserWarning: old" in warned["event"]
    assert (thread["event"], thread["thread"]) == ("thread_failed", "planted")
    assert (loop["event"], uncaught["event"]) == ("asyncio", "uncaught")
    for line in (thread, loop, uncaught):
        assert "ValueError: planted" in line["exception"]
