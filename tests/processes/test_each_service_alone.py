"""Each service starts without the others, says what it waits for, and leaves cleanly."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from stratvector.cli.platform.commands import command_of
from stratvector.runtime.jetstream.server import free_port
from stratvector.trading.flow import HOUSE

NEEDS_NOBODY = ("research",)


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


@pytest.mark.parametrize("service", HOUSE)
def test_help_names_every_setting_and_its_variable(service: str, tmp_path: Path) -> None:
    command = [*command_of(service, tmp_path / "none")[:-2], "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    for key in ("host", "grpc_port", "http_port", "drain_seconds", "log_level"):
        assert f"STRATVECTOR_{service.upper()}_{key.upper()}" in run.stdout
    assert run.stderr == ""


@pytest.mark.parametrize("service", HOUSE)
def test_a_wrong_key_is_named_with_the_nearest(service: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("htp_port: 1\n")
    run = subprocess.run(command_of(service, file), capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "there is no setting htp_port; the nearest is http_port" in run.stderr
