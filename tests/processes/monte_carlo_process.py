"""The Monte Carlo service's binary under test, and runs that are asked of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc

from stratvector.contracts.v1.monte_carlo_service_pb2 import (
    GbmParameters,
    RunScenarioRequest,
    RunScenarioResponse,
    ScenarioResult,
)
from stratvector.contracts.v1.monte_carlo_service_pb2_grpc import MonteCarloServiceStub
from stratvector.montecarlo import GeometricBrownianMotion
from tests.processes.service_process import PATIENCE_SECONDS, ROOT, ServiceProcess

BINARY = ROOT / "target" / "release" / "stratvector-monte-carlo"
# A connection per channel: the service takes each for a client of its own.
OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
LEVELS = (0.95, 0.99)
MODEL: dict[str, Any] = {"drift": [0.05, -0.1], "volatility": [0.2, 0.5]}
RHO = 0.6
PORTFOLIO: dict[str, Any] = {
    "initial_prices": [100.0, 40.0],
    "quantities": [3.0, 1.5],
    "cash": 25.0,
}
YEARS = 1 / 252


class MonteCarloProcess(ServiceProcess):
    """A process of the binary."""

    def __init__(self, folder: Path, name: str, **settings: Any) -> None:
        super().__init__("", folder, name, **settings)
        self.command = [str(BINARY), *self.command[3:]]

    def __enter__(self) -> "MonteCarloProcess":
        self.start()
        return self

    def channel(self) -> grpc.Channel:
        return grpc.insecure_channel(f"127.0.0.1:{self.port('grpc_port')}", options=OPTIONS)

    def metric(self, line: str) -> float:
        """The value of one line of `/metrics`."""
        values = [one.rsplit(" ", 1) for one in self.get("/metrics")[1].splitlines()]
        return float(next(value for name, value in values if name == line))

    def until_metric(self, line: str, least: float) -> None:
        self._until(lambda: self.metric(line) >= least, f"{line} never was {least}")

    def run(self, request: RunScenarioRequest) -> ScenarioResult:
        """The result of a run, waited for."""
        with self.channel() as channel:
            *_, last = steps(channel, request)
        assert last.HasField("result")
        return last.result


def code_and_words(error: grpc.RpcError) -> tuple[str, str]:
    """What a call ended with; every error of a call is a call, which its type does not say."""
    call: Any = error
    return call.code().name, call.details()


def steps(channel: grpc.Channel, request: RunScenarioRequest) -> Iterator[RunScenarioResponse]:
    """The messages of a run as they come; a call that can be cancelled."""
    stub = MonteCarloServiceStub(channel)
    return stub.RunScenario(request, timeout=4 * PATIENCE_SECONDS, wait_for_ready=True)


def request(paths: int, time_steps: int, seed: int = 7, **changed: Any) -> RunScenarioRequest:
    told = {
        "gbm": GbmParameters(**MODEL, correlation=[1, RHO, RHO, 1]),
        **PORTFOLIO,
        "simulations": paths,
        "time_steps": time_steps,
        "step_years": YEARS,
        "seed": seed,
        "levels": LEVELS,
    }
    return RunScenarioRequest(**{**told, **changed})


def python_figures(paths: int, time_steps: int, seed: int = 7) -> dict[str, float]:
    """What the Python package says of the same run."""
    model = GeometricBrownianMotion(**MODEL, correlation=[[1, RHO], [RHO, 1]])
    result = model.run(
        **PORTFOLIO,
        num_simulations=paths,
        time_steps=time_steps,
        step_years=YEARS,
        seed=seed,
        levels=LEVELS,
    )
    drawdowns = {f"drawdown_{name}": one for name, one in result.max_drawdown_percentiles.items()}
    return {**result.statistics, **result.percentiles, **drawdowns}


def figures(result: ScenarioResult) -> dict[str, float]:
    """The figures of an answer under the names that Python gives them."""
    found = {
        "profit_mean": result.profit_mean,
        "profit_standard_deviation": result.profit_standard_deviation,
        "max_drawdown_mean": result.max_drawdown_mean,
    }
    for tail in result.tails:
        found[f"var_{tail.level * 100:.0f}"] = tail.value_at_risk
        found[f"cvar_{tail.level * 100:.0f}"] = tail.conditional_value_at_risk
    for one in result.profit_percentiles:
        found[f"p{one.percent:.0f}"] = one.value
    for one in result.max_drawdown_percentiles:
        found[f"drawdown_p{one.percent:.0f}"] = one.value
    return found
