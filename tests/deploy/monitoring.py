"""Real Prometheus and Alertmanager on free ports, with the configurations of deploy/prometheus."""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from stratvector.runtime.free_ports import free_ports
from tests.deploy.exposed_metrics import Exposed, read
from tests.deploy.rule_files import FOLDER, RULES

PROMETHEUS_PARTS = ("promtool", "amtool", "prometheus", "prometheus-alertmanager")
PATIENCE_SECONDS = 120.0


class Monitoring:
    """Both programs and the webhook's receiver; a context that ends them.

    targets : addresses by job, in the place of the services'; jobs that are left out stay without.
    quick : scrape and evaluate each second, and let no alert wait longer than that.
    """

    def __init__(
        self, folder: Path, targets: Mapping[str, str] | None = None, quick: bool = False
    ) -> None:
        self._folder, self._targets, self._quick = folder, dict(targets or {}), quick
        prometheus, alertmanager = free_ports(2)
        self._ports = {"prometheus": prometheus, "alertmanager": alertmanager}
        self._ends = ExitStack()
        self._webhook_log = folder / "webhook.log"

    def __enter__(self) -> "Monitoring":
        try:
            self._start()
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def page(self, job: str, path: str) -> str:
        """A page of Prometheus or Alertmanager. Raises OSError."""
        address = f"http://127.0.0.1:{self._ports[job]}{path}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def exposed(self, job: str) -> Exposed:
        """Its own metrics, once each rule was evaluated."""
        return read(self.page(job, "/metrics"))

    def notified(self) -> list[dict[str, Any]]:
        """Every alert that the webhook's receiver has written."""
        lines = [json.loads(line) for line in self._webhook_log.read_text().splitlines()]
        return [line for line in lines if line["event"] == "alert"]

    def until(self, holds: Callable[[], bool], complaint: str) -> None:
        """Wait. Raises AssertionError."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"{complaint}\n{self._words()}"
            time.sleep(0.1)

    def _start(self) -> None:
        self._run("webhook", [sys.executable, FOLDER / "alert_webhook.py", "--port", "0"])
        self.until(lambda: "\n" in self._webhook_log.read_text(), "the receiver never listened")
        receiver = json.loads(self._webhook_log.read_text().splitlines()[0])["port"]
        self._run("alertmanager", self._alertmanager(receiver))
        self._run("prometheus", self._prometheus())
        for job in self._ports:
            self.until(partial(self._is_ready, job), f"{job} never was ready")

    def _alertmanager(self, receiver: int) -> list[object]:
        text = (FOLDER / "alertmanager.yml").read_text()
        text = text.replace("alert-webhook:5001", f"127.0.0.1:{receiver}")
        if self._quick:
            text = re.sub(r"group_(wait|interval): \w+", r"group_\1: 1s", text)
        (self._folder / "alertmanager.yml").write_text(text)
        return [
            "prometheus-alertmanager",
            f"--config.file={self._folder / 'alertmanager.yml'}",
            f"--storage.path={self._folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{self._ports['alertmanager']}",
            "--cluster.listen-address=",
        ]

    def _prometheus(self) -> list[object]:
        known = yaml.safe_load((FOLDER / "prometheus.local.yml").read_text())
        own = {job: f"127.0.0.1:{port}" for job, port in self._ports.items()}
        targets = self._targets | own
        known["scrape_configs"] = [
            {"job_name": job, "static_configs": [{"targets": [address]}]}
            for job, address in targets.items()
        ]
        alertmanagers = [{"static_configs": [{"targets": [own["alertmanager"]]}]}]
        known["alerting"]["alertmanagers"] = alertmanagers
        if self._quick:
            known["global"] = dict.fromkeys(known["global"], "1s")
        (self._folder / "rules").mkdir()
        for path in RULES:
            text = path.read_text()
            if self._quick:
                text = re.sub(r"(?m)^( +for:) \w+$", r"\1 1s", text)
            (self._folder / "rules" / path.name).write_text(text)
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(known))
        return [
            "prometheus",
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self._ports['prometheus']}",
        ]

    def _is_ready(self, job: str) -> bool:
        try:
            return bool(self.page(job, "/-/ready"))
        except OSError:
            return False

    def _run(self, name: str, command: list[object]) -> None:
        log = self._ends.enter_context((self._folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [str(one) for one in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        self._ends.callback(_end, process)

    def _words(self) -> str:
        return "\n".join(path.read_text()[-2000:] for path in self._folder.glob("*.log"))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
