"""Where nobody asks for spans nothing of OpenTelemetry is loaded; where somebody does, all stops
cleanly.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from stratvector.runtime.process.settings import ProcessSettings, load_settings
from stratvector.runtime.process.settings_file import BadSettings
from stratvector.trading.flow import SERVICES
from tests.processes.service_process import ServiceProcess
from tests.telemetry.collector import running_collector

MODULE = "tests.telemetry.untraced_service"


def test_no_service_imports_opentelemetry() -> None:
    modules = ", ".join(f"stratvector.services.{service}.__main__" for service in SERVICES)
    code = (
        f"import sys, {modules}, stratvector.runtime.process.life\n"
        "print([m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_process_without_an_endpoint_never_loads_it(tmp_path: Path) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}
    with ServiceProcess(MODULE, tmp_path, "untraced", environment) as process:
        assert process.said("loaded")["telemetry"] == []
        assert "stratvector_telemetry_spans" not in process.get("/metrics")[1]
        assert process.stop() == 0


def test_the_standard_variable_is_the_default_endpoint(tmp_path: Path) -> None:
    with running_collector() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        with ServiceProcess(MODULE, tmp_path, "untraced", environment) as process:
            assert "opentelemetry.sdk.trace" in process.said("loaded")["telemetry"]
            assert "stratvector_telemetry_spans" in process.get("/metrics")[1]
            assert process.stop() == 0
            assert process.said("spans")["dropped"] == 0
        assert process.err.read_text() == ""


def test_the_setting_wins_over_the_standard_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://standard:4317")
    assert load_settings("risk", ProcessSettings, None).otlp_endpoint == "http://standard:4317"
    file = tmp_path / "risk.yaml"
    file.write_text("otlp_endpoint: http://file:4317")
    assert load_settings("risk", ProcessSettings, file).otlp_endpoint == "http://file:4317"
    monkeypatch.setenv("STRATVECTOR_RISK_OTLP_ENDPOINT", "https://[::1]:4317")
    assert load_settings("risk", ProcessSettings, file).otlp_endpoint == "https://[::1]:4317"


@pytest.mark.parametrize(
    "endpoint",
    [
        "localhost:4317",
        "http://localhost",
        "http://name:word@localhost:4317",
        "grpc://a:1",
        "http://",
    ],
)
def test_an_endpoint_that_is_none_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("STRATVECTOR_RISK_OTLP_ENDPOINT", endpoint)
    rule = "it must be http://HOST:PORT, or https:// where the collector has TLS"
    with pytest.raises(BadSettings, match=rule) as refused:
        load_settings("risk", ProcessSettings, None)
    assert "word" not in str(refused.value)


def test_the_simulated_world_loads_neither_metrics_nor_spans() -> None:
    code = (
        "import sys, stratvector.runtime.simulation.world\n"
        "from stratvector.runtime.deployment import installed_services\n"
        "installed_services()\n"
        "loaded = {m.split('.')[0] for m in sys.modules}\n"
        "print(sorted(loaded & {'opentelemetry', 'prometheus_client'}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
