"""settings: what the drift process is told."""

from pathlib import Path

from stratvector.runtime.process.settings import Port, ServiceSettings


class DriftSettings(ServiceSettings):
    """Scores each model's returns and signals against its reference, and shows the scores."""

    http_port: Port = 8080
    """the report, /report.json, /metrics, /healthz and /readyz; 0 takes a free port and logs it"""
    drift_config: Path | None = None
    """file of the rules, such as config/drift.yaml; none takes every rule's default"""
