"""The binary answers over gRPC what Python computes, to the bit, and refuses what is wrong."""

from pathlib import Path
from typing import Any

import grpc
import pytest

from stratvector.contracts.v1.monte_carlo_service_pb2 import GbmParameters, ListScenariosRequest
from stratvector.contracts.v1.monte_carlo_service_pb2_grpc import MonteCarloServiceStub
from stratvector.montecarlo import GeometricBrownianMotion
from stratvector.runtime.jetstream.server import NatsServer
from tests.processes.monte_carlo_process import (
    MonteCarloProcess,
    code_and_words,
    figures,
    python_figures,
    request,
    steps,
)


@pytest.mark.parametrize(("paths", "time_steps"), [(1, 1), (4_097, 3), (50_000, 21)])
def test_grpc_and_python_are_equal_to_the_bit(
    nats: NatsServer, tmp_path: Path, paths: int, time_steps: int
) -> None:
    with MonteCarloProcess(tmp_path, "alone", nats_url=nats.url, workers=2) as service:
        result = service.run(request(paths, time_steps))
    # repr, as NaN does not equal itself; it shows every bit of other numbers.
    assert repr(sorted(figures(result).items())) == repr(
        sorted(python_figures(paths, time_steps).items())
    )
    assert (result.simulations, result.seed) == (paths, 7)
    assert result.initial_value == 25.0 + 3.0 * 100.0 + 1.5 * 40.0


def test_progress_grows_to_the_whole_and_the_result_comes_last(
    nats: NatsServer, tmp_path: Path
) -> None:
    service = MonteCarloProcess(tmp_path, "alone", nats_url=nats.url, workers=1)
    with service, service.channel() as channel:
        *progress, last = steps(channel, request(200_000, 20))
    assert last.HasField("result")
    done = [step.progress.done for step in progress]
    assert done == sorted(done)
    assert (done[0], {step.progress.total for step in progress}) == (0, {200_000})
    assert any(0 < one < 200_000 for one in done)


def test_the_scenarios_are_told(nats: NatsServer, tmp_path: Path) -> None:
    service = MonteCarloProcess(tmp_path, "alone", nats_url=nats.url)
    with service, service.channel() as channel:
        answer = MonteCarloServiceStub(channel).ListScenarios(
            ListScenariosRequest(), wait_for_ready=True
        )
    assert [one.name for one in answer.scenarios] == ["gbm"]
    assert all(one.summary.endswith(".") and one.source for one in answer.scenarios)


@pytest.mark.parametrize(
    ("changed", "code", "sentence"),
    [
        ({"gbm": None}, "NOT_FOUND", "the request names no scenario that there is"),
        ({"simulations": 0}, "INVALID_ARGUMENT", "simulations = 0: 1 <= simulations <= 10000000"),
        ({"time_steps": 100_001}, "INVALID_ARGUMENT", "time_steps = 100001: 1 <= time_steps"),
        ({"levels": [1.0]}, "INVALID_ARGUMENT", "levels[0] = 1: 0 < levels < 1 does not hold"),
        (
            {"gbm": GbmParameters(drift=[0, 0], volatility=[1, -1], correlation=[1, 0, 0, 1])},
            "INVALID_ARGUMENT",
            "volatility[1] = -1: 0 <= volatility < infinity does not hold",
        ),
        ({"quantities": [1.0]}, "INVALID_ARGUMENT", "quantities holds 1 assets"),
        ({"step_years": 1e6}, "INVALID_ARGUMENT", "profit of path 0 = "),
    ],
)
def test_a_bad_request_is_refused_with_its_inequality(
    nats: NatsServer, tmp_path: Path, changed: dict[str, Any], code: str, sentence: str
) -> None:
    with (
        MonteCarloProcess(tmp_path, "alone", nats_url=nats.url) as service,
        pytest.raises(grpc.RpcError) as refused,
    ):
        service.run(request(**{"paths": 10, "time_steps": 2, **changed}))
    found, words = code_and_words(refused.value)
    assert (found, words[: len(sentence)]) == (code, sentence)


def test_the_largest_model_fits_into_the_messages(nats: NatsServer, tmp_path: Path) -> None:
    assets = 256
    ones, rho = [1.0] * assets, 0.25
    rows = [[1.0 if i == j else rho for j in range(assets)] for i in range(assets)]
    told: dict[str, Any] = {
        "gbm": GbmParameters(
            drift=ones, volatility=ones, correlation=[one for row in rows for one in row]
        ),
        "initial_prices": ones,
        "quantities": ones,
        "cash": 0.0,
        "step_years": 0.1,
    }
    with MonteCarloProcess(tmp_path, "alone", nats_url=nats.url, workers=2) as service:
        found = service.run(request(500, 2, **told))
    python = GeometricBrownianMotion(ones, ones, rows).run(
        ones, num_simulations=500, time_steps=2, step_years=0.1, seed=7
    )
    assert found.tails[0].value_at_risk == python.statistics["var_95"]
    assert found.max_drawdown_mean == python.statistics["max_drawdown_mean"]
