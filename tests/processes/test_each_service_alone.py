"""Each service starts without the others, says what it waits for, leaves cleanly, and explains
itself.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from stratvector.cli.platform.commands import command_of
from stratvector.runtime.free_ports import free_port
from stratvector.trading.flow import HOUSE, SERVICES

NEEDS_NOBODY = ("research",)
IN_RUST = "monte_carlo"
RESEARCH_SETTINGS = ("RESULTS_FOLDER", "CONFIG_FOLDER", "JOBS_AT_ONCE", "JOBS_KEPT_MAX")
TOLD_BESIDES = {
    "research": (
        "Runs backtests as jobs",
        *(f"STRATVECTOR_RESEARCH_{name}" for name in RESEARCH_SETTINGS),
    )
}
# The `__main__` of each service, run in one interpreter: what they share is imported once.
ASKING = """
import contextlib, io, json, os, runpy, sys

services, questions = map(json.loads, sys.argv[1:])
environment, said = dict(os.environ), []
for service in services:
    for arguments in questions:
        module, out, err = f"stratvector.services.{service}", io.StringIO(), io.StringIO()
        sys.argv = [module, *arguments]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                runpy.run_module(module, run_name="__main__")
            except SystemExit as ended:
                said.append((ended.code or 0, out.getvalue(), err.getvalue()))
        os.environ.clear()
        os.environ.update(environment)
json.dump(said, sys.stdout)
"""
WRONG = Path("wrong.yaml")
HELP, SETTINGS = ["--help"], ["--settings", str(WRONG)]


class Said(NamedTuple):
    """code : the exit code. out, err : what stood on the two outputs."""

    code: int
    out: str
    err: str


def settings_of(service: str, place: Path) -> tuple[Path, int, str]:
    """A settings file, the HTTP port in it, and where NATS would be."""
    http, nats = free_port(), f"nats://127.0.0.1:{free_port()}"
    lines = [f"http_port: {http}"]
    if service not in NEEDS_NOBODY:
        lines.append(f"nats_url: {nats}")
    if service == "market_data":
        lines.append(f"store: {place / 'store'}")
    if service == "ledger":
        lines.append(f"database_url: sqlite:///{place / 'ledger.db'}")
    if service == "gateway":
        lines.append(f"console_port: {free_port()}")
    file = place / f"{service}.yaml"
    file.write_text("\n".join(lines) + "\n")
    return file, http, nats


@contextmanager
def running(command: list[str], place: Path) -> Iterator[subprocess.Popen[bytes]]:
    (place / "config").mkdir(exist_ok=True)
    with (place / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=place, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def readiness(http: int, process: subprocess.Popen[bytes]) -> tuple[int, dict[str, object]]:
    """What /readyz says, as soon as there is somebody who says it."""
    while True:
        assert process.poll() is None, "the service ended"
        try:
            with urlopen(f"http://127.0.0.1:{http}/readyz", timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())
        except OSError:
            time.sleep(0.05)


@pytest.mark.parametrize("service", HOUSE)
def test_a_service_alone_says_why_it_is_not_ready_and_stops_when_asked(
    service: str, tmp_path: Path
) -> None:
    file, http, nats = settings_of(service, tmp_path)
    with running(command_of(service, file), tmp_path) as process:
        while True:
            code, document = readiness(http, process)
            reason = str(document["reason"])
            if reason.startswith("waiting for NATS") or document["ready"]:
                break
            time.sleep(0.05)
        if service in NEEDS_NOBODY:
            assert (code, document["ready"], reason) == (200, True, "")
        else:
            assert (code, document["ready"], document["state"]) == (503, False, "starting")
            assert nats in reason
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0, (tmp_path / "output").read_text()


class Asked(NamedTuple):
    """What a service says to `--help` and to a wrong settings file."""

    help_: Said
    refusal: Said


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Asked]:
    place = tmp_path_factory.mktemp("asked")
    services = [service for service in HOUSE if service != IN_RUST]
    told = [json.dumps(services), json.dumps([HELP, SETTINGS])]
    run = said_by([sys.executable, "-P", "-c", ASKING, *told], place)
    assert (run.code, run.err) == (0, "")
    said = [Said(*one) for one in json.loads(run.out)]
    each = map(Asked, said[::2], said[1::2])
    return {IN_RUST: asked_alone(IN_RUST, place), **dict(zip(services, each, strict=True))}


def asked_alone(service: str, place: Path) -> Asked:
    command = command_of(service, WRONG)[: -len(SETTINGS)]
    return Asked(said_by([*command, *HELP], place), said_by([*command, *SETTINGS], place))


def said_by(command: list[str], place: Path) -> Said:
    (place / WRONG).write_text("htp_port: 1\n")
    run = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    return Said(run.returncode, run.stdout, run.stderr)


@pytest.mark.parametrize("service", HOUSE)
def test_help_tells_what_a_service_does_and_names_every_setting_and_its_variable(
    service: str, asked: dict[str, Asked]
) -> None:
    help_ = asked[service].help_
    assert (help_.code, help_.err) == (0, "")
    for key in ("host", "grpc_port", "http_port", "drain_seconds", "log_level"):
        assert f"STRATVECTOR_{service.upper()}_{key.upper()}" in help_.out
    if service in SERVICES:
        assert re.fullmatch(r"[A-Z][^\n]+\.", help_.out.split("\n\n")[1])
        assert f"STRATVECTOR_{service.upper()}_NATS_URL" in help_.out
    for word in TOLD_BESIDES.get(service, ()):
        assert word in help_.out


@pytest.mark.parametrize("service", HOUSE)
def test_a_wrong_key_is_named_with_the_nearest(service: str, asked: dict[str, Asked]) -> None:
    refused = asked[service].refusal
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "there is no setting htp_port; the nearest is http_port" in refused.err


def test_a_process_says_what_was_said_in_one_interpreter(
    asked: dict[str, Asked], tmp_path: Path
) -> None:
    """The ledger: what its `__main__` sets before its imports is its own."""
    assert asked_alone("ledger", tmp_path) == asked["ledger"]
