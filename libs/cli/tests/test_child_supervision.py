"""Children: started again with patience, logged as JSON lines, and never left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from stratvector.cli.platform.child import Child, ChildFailed
from stratvector.cli.platform.child_log import ChildLog
from stratvector.cli.platform.restarts import Restarts

PATIENCE_SECONDS = 60.0
Seen = TypeVar("Seen")
SLEEPER = "import time; print('up', flush=True); time.sleep(600)"


def test_waits_double_to_a_limit_and_start_anew_after_a_good_run() -> None:
    restarts = Restarts()
    waits = [restarts.wait_seconds(-9, 0.1) for _ in range(7)]
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert restarts.wait_seconds(-9, 60.0) == 0.25


def test_wrong_settings_end_the_attempts_soon_and_other_failures_late() -> None:
    restarts = Restarts()
    assert [restarts.wait_seconds(2, 0.1) is None for _ in range(3)] == [False, False, True]
    restarts = Restarts()
    ended = [restarts.wait_seconds(1, 0.1) is None for _ in range(10)]
    assert ended == [False] * 9 + [True]


def test_what_a_person_must_put_right_ends_the_attempts_at_once() -> None:
    assert Restarts().wait_seconds(78, 0.1) is None
    assert Restarts().wait_seconds(78, 600.0) is None


def test_deaths_from_outside_never_end_the_attempts() -> None:
    restarts = Restarts()
    assert None not in [restarts.wait_seconds(-9, 0.1) for _ in range(100)]


def test_lines_that_are_no_json_become_json(tmp_path: Path) -> None:
    log = ChildLog("risk", tmp_path)
    log.write(b'{"event": "ready"}\n')
    log.write(b"Traceback (most recent call last):\n")
    log.write(b"\xff\n")
    log.write(b"\n")
    log.close()
    first, second, third = map(json.loads, log.path.read_text().splitlines())
    assert first == {"event": "ready"}
    assert (second["child"], second["text"]) == ("risk", "Traceback (most recent call last):")
    assert third["text"] == "\ufffd"


def test_the_last_words_are_those_of_the_error_and_not_what_the_log_says_after_it(
    tmp_path: Path,
) -> None:
    log = ChildLog("drift", tmp_path)
    log.write(b'{"event": "listening", "level": "info"}\n')
    assert log.last_words == "listening"
    log.write(b'{"event": "refused", "level": "error", "reason": "no such file"}\n')
    log.write(b'{"event": "stopped", "level": "info", "code": 78}\n')
    assert log.last_words == "refused: no such file"
    log.write(b"drift: rules.yaml: no such file\n")
    log.write(b'{"event": "stopped", "level": "info", "code": 78}\n')
    assert log.last_words == "drift: rules.yaml: no such file"
    log.forget()
    assert log.last_words == ""
    log.close()


def test_a_line_of_endless_brackets_does_not_stop_the_log(tmp_path: Path) -> None:
    log = ChildLog("risk", tmp_path)
    log.write(b"[" * 200_000)
    assert log.last_words.startswith("[[[")
    log.close()
    assert json.loads(log.path.read_text())["child"] == "risk"


def test_a_log_is_rotated_at_its_size(tmp_path: Path) -> None:
    log = ChildLog("risk", tmp_path, size_bytes_max=2_000)
    for number in range(200):
        log.write(f"line {number}".encode())
    log.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["risk.log", *(f"risk.log.{n}" for n in range(1, 6))]
    assert all(path.stat().st_size <= 2_000 for path in tmp_path.iterdir())


def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    async def scenario(child: Child) -> None:
        first = await until(lambda: child.pid)
        os.kill(first, signal.SIGKILL)
        second = await until(lambda: child.pid if child.pid != first else None)
        assert psutil.pid_exists(second)
        assert not psutil.pid_exists(first)

    told = supervised(SLEEPER, tmp_path, scenario)
    assert told == ["generic was ended by SIGKILL; it starts again in 0.25 s."]


def test_a_childs_end_is_told_with_the_error_that_its_log_names(tmp_path: Path) -> None:
    code = """
import json, sys
print(json.dumps({"level": "critical", "event": "defect", "reason": "KeyError: 'BTC'"}))
print(json.dumps({"level": "info", "event": "stopped"}))
sys.exit(1)
"""

    async def scenario(child: Child) -> None:
        await until(lambda: child.starts > 1)

    told = supervised(code, tmp_path, scenario)
    assert told[0] == (
        "generic ended with exit code 1 (defect: KeyError: 'BTC'); it starts again in 0.25 s."
    )


def test_wrong_settings_fail_with_the_childs_own_sentence(tmp_path: Path) -> None:
    code = "import sys; print('risk.yaml: key lease is unknown', file=sys.stderr); sys.exit(2)"

    async def scenario() -> None:
        child = generic(code, tmp_path, [])
        await asyncio.wait_for(child.keep(), PATIENCE_SECONDS)

    with pytest.raises(ChildFailed) as failed:
        asyncio.run(scenario())
    assert str(failed.value) == (
        "generic can't run (exit code 2): risk.yaml: key lease is unknown; "
        f"its log is {tmp_path / 'generic.log'}"
    )


def test_a_child_that_cant_start_is_started_once_and_its_sentence_told(tmp_path: Path) -> None:
    code = "import sys; print('ledger: there is no folder', file=sys.stderr); sys.exit(78)"
    child_of: list[Child] = []

    async def scenario() -> None:
        child_of.append(generic(code, tmp_path, []))
        await asyncio.wait_for(child_of[0].keep(), PATIENCE_SECONDS)

    with pytest.raises(ChildFailed, match=r"\(exit code 78\): ledger: there is no folder; its log"):
        asyncio.run(scenario())
    assert child_of[0].starts == 1


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        child = Child("generic", [str(tmp_path / "nowhere")], lambda _: None, logs=tmp_path)
        keeping = asyncio.create_task(child.keep())
        await until(lambda: child.starts == 2)
        await child.stop(PATIENCE_SECONDS)
        await keeping

    asyncio.run(scenario())
    assert "nowhere: no such file or directory" in (tmp_path / "generic.log").read_text()


def test_a_stopped_child_may_end_its_work(tmp_path: Path) -> None:
    code = """
        import signal, sys, time
        def end(*_):
            print("ended well")
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        print("up")
        time.sleep(600)
    """

    async def scenario(child: Child) -> None:
        await until(lambda: "up" in logged(tmp_path))
        assert await child.stop(PATIENCE_SECONDS)
        assert child.pid is None

    assert supervised(code, tmp_path, scenario) == []
    assert "ended well" in logged(tmp_path)


def test_a_child_that_does_not_listen_is_killed_with_its_children(tmp_path: Path) -> None:
    code = """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", "import time; print('grandchild', flush=True); "
                          "time.sleep(600)"])
        time.sleep(600)
    """

    async def scenario(child: Child) -> None:
        await until(lambda: "grandchild" in logged(tmp_path))
        assert child.pid is not None
        family = [psutil.Process(child.pid), *psutil.Process(child.pid).children()]
        assert len(family) == 2
        assert not await child.stop(0.1)
        await until(lambda: not any(alive(p) for p in family))

    assert supervised(code, tmp_path, scenario) == []


def test_a_childs_restart_is_not_awaited_when_it_is_stopped(tmp_path: Path) -> None:
    async def scenario(child: Child) -> None:
        for number in range(1, 5):  # the next wait is two seconds
            await until(lambda number=number: child.starts == number and child.pid)  # type: ignore[misc]
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            await until(lambda: child.pid is None)
        assert await child.stop(PATIENCE_SECONDS)
        assert child.starts == 4

    supervised(SLEEPER, tmp_path, scenario)


def test_a_terminals_ctrl_c_does_not_reach_children(tmp_path: Path) -> None:
    async def scenario(child: Child) -> None:
        pid = await until(lambda: child.pid)
        assert os.getsid(pid) != os.getsid(0)
        assert os.getpgid(pid) == pid

    supervised(SLEEPER, tmp_path, scenario)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_children_die_with_a_supervisor_that_is_killed_at_once(tmp_path: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    child = psutil.Process(int(supervisor.stdout.readline()))
    assert child.is_running()
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    _, left = psutil.wait_procs([child], timeout=PATIENCE_SECONDS)
    assert left == []


def test_a_child_of_a_dead_supervisor_never_starts(tmp_path: Path) -> None:
    bound = Path(sys.modules[Child.__module__].__file__ or "").with_name("bound.py")
    mark = tmp_path / "mark"
    done = subprocess.run(
        [sys.executable, "-IS", str(bound), "1", "0", "touch", str(mark)], check=False
    )
    assert done.returncode == 1
    assert not mark.exists()


@pytest.mark.parametrize("niceness", [0, 5])
def test_a_child_steps_back_as_far_as_it_was_told(tmp_path: Path, niceness: int) -> None:
    mark = tmp_path / "mark"
    say = f"import os, pathlib; pathlib.Path({str(mark)!r}).write_text(str(os.nice(0)))"

    async def main() -> None:
        command = [sys.executable, "-c", f"{say}; {SLEEPER}"]
        child = Child("generic", command, print, logs=tmp_path, niceness=niceness)
        keeping = asyncio.create_task(child.keep())
        await until(lambda: mark.exists() and mark.read_text())
        await child.stop(PATIENCE_SECONDS)
        await keeping

    asyncio.run(main())
    assert int(mark.read_text()) == os.nice(0) + niceness


def test_nothing_is_left_when_all_have_stopped(tmp_path: Path) -> None:
    threads, files = set(threading.enumerate()), psutil.Process().num_fds()

    async def scenario(child: Child) -> None:
        await until(lambda: child.pid)

    supervised(SLEEPER, tmp_path, scenario)
    assert psutil.Process().children() == []
    # asyncio's waiter of a child tells its end before its own thread returns: one of an earlier
    # test may still be counted at the start, one of this test at its end.
    for thread in set(threading.enumerate()) - threads:
        thread.join(PATIENCE_SECONDS)
    assert set(threading.enumerate()) <= threads
    assert psutil.Process().num_fds() <= files


SUPERVISOR = """
import asyncio, pathlib, sys, threading
from stratvector.cli.platform.child import Child

async def main():
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    child = Child("generic", command, print, logs=pathlib.Path(sys.argv[1]))
    keeping = asyncio.create_task(child.keep())
    while child.pid is None:
        await asyncio.sleep(0.01)
    print(child.pid, flush=True)
    await keeping

asyncio.run(main())
"""


def generic(code: str, folder: Path, told: list[str]) -> Child:
    """A child that runs Python code."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return Child("generic", command, told.append, logs=folder)


def supervised(code: str, folder: Path, scenario: Callable[[Child], Awaitable[None]]) -> list[str]:
    """Keep a child while a scenario runs, then stop it; what the supervisor told."""
    told: list[str] = []

    async def main() -> None:
        child = generic(code, folder, told)
        keeping = asyncio.create_task(child.keep())
        try:
            await scenario(child)
        finally:
            await child.stop(PATIENCE_SECONDS)
            await keeping

    asyncio.run(main())
    return told


async def until(look: Callable[[], Seen | None]) -> Seen:
    """What `look` sees as soon as it is true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (seen := look()):
            await asyncio.sleep(0.01)
    return seen


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def logged(folder: Path) -> str:
    log = folder / "generic.log"
    return log.read_text() if log.exists() else ""
