"""A folder with a small configuration and made-up prices, and the service as a process in it."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import psutil
import pytest

from stratvector.contracts.v1 import research_service_pb2 as pb
from stratvector.contracts.v1.research_service_pb2_grpc import ResearchServiceStub
from tests.processes.service_process import PATIENCE_SECONDS, ServiceProcess

if TYPE_CHECKING:
    from stratvector.contracts.v1.research_service_pb2_grpc import ResearchServiceStub as Stub

SYSTEM = """
system: {portfolio: small, backtest_initial_nav: 50000.00}
session: {start: 2020-02-03, end: 2020-06-30}
models: [{name: CryptoMomentumModel_v1, version: "1.0.0", budget_fraction: 0.8}]
risk: {per_asset_cap: 0.80, rebalance_band: 0.02}
"""
MODELS = """
models:
  CryptoMomentumModel_v1:
    universe: coins
    parameters: {short_lookback: 3, long_lookback: 8, rebalance_days: 2}
"""
UNIVERSES = """
universes:
  coins:
    symbols: [CCC-USD]
    asset_class: crypto
    timeframe: 1D
    calendar: 24/7
    source: prices.csv
    lot_size: 0.0001
"""
FILES = {"system.yaml": SYSTEM, "models.yaml": MODELS, "universes.yaml": UNIVERSES}
DAYS = 182


@dataclass
class Running:
    """A research process, and its questions over a real channel."""

    process: ServiceProcess
    stack: ExitStack
    stub: "Stub" = field(init=False)

    def connect(self) -> None:
        port = self.process.port("grpc_port")
        channel = self.stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))
        grpc.channel_ready_future(channel).result(PATIENCE_SECONDS)
        self.stub = ResearchServiceStub(channel)

    def until_ready(self) -> None:
        until(lambda: self.process.readiness()["ready"])

    def submit(self, **request: str) -> pb.Job:
        return self.stub.SubmitBacktest(pb.SubmitBacktestRequest(**request)).job

    def job(self, job_id: str) -> pb.Job:
        return self.stub.GetJob(pb.GetJobRequest(job_id=job_id)).job

    def jobs(self) -> list[pb.Job]:
        return list(self.stub.ListJobs(pb.ListJobsRequest()).jobs)

    def followed(self, job_id: str) -> list[pb.Job]:
        """The job at each change, to its end."""
        stream = self.stub.StreamProgress(pb.StreamProgressRequest(job_id=job_id))
        return [change.job for change in stream]

    def held(self, job_id: str) -> psutil.Process:
        """The process of a job, stopped (SIGSTOP) as soon as it is bound to the service."""
        until(lambda: self.job(job_id).state == pb.JOB_STATE_RUNNING and self.children())
        (child,) = self.children()
        until(lambda: "stratvector.cli" in child.cmdline() and "-IS" not in child.cmdline())
        child.suspend()
        return child

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def metric(self, name: str) -> float:
        lines = self.process.get("/metrics")[1].splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


@dataclass(frozen=True)
class Place:
    """A test's folder, which is the working directory."""

    folder: Path
    stack: ExitStack

    @property
    def jobs(self) -> Path:
        return self.folder / "jobs"

    def prepare(self, name: str = "research", **settings: Any) -> Running:
        """A process that is not started yet."""
        given = {"results_folder": self.jobs} | settings
        process = ServiceProcess("stratvector.services.research", self.folder, name, **given)
        return Running(process, self.stack)

    def serve(self, name: str = "research", **settings: Any) -> Running:
        """A process that is ready."""
        running = self.prepare(name, **settings)
        self.stack.enter_context(running.process)
        running.connect()
        running.until_ready()
        return running


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    write_configuration(tmp_path / "config")
    (tmp_path / "prices.csv").write_text(prices())
    with ExitStack() as stack:
        yield Place(tmp_path, stack)


def write_configuration(folder: Path) -> None:
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)


def prices() -> str:
    """A coin that swings, daily, half a year."""
    lines, opened = ["timestamp,symbol,open,high,low,close,volume"], 100.0
    for day in range(DAYS):
        closes_at = datetime(2020, 1, 2, tzinfo=UTC) + timedelta(days=day)
        close = 100.0 * (1.0 + 0.2 * math.sin(day / 9.0))
        high, low = max(opened, close) * 1.01, min(opened, close) * 0.99
        lines.append(f"{closes_at:%Y-%m-%dT%H:%M:%SZ},CCC-USD,{opened},{high},{low},{close},1e6")
        opened = close
    return "\n".join(lines) + "\n"


def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)
