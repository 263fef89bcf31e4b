"""settings: what the gateway process is told."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from stratvector.runtime.process.host_header import is_loopback
from stratvector.runtime.process.settings import Port, ServiceSettings

Address = Annotated[
    str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")
]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/@\s]+$")]


class GatewaySettings(ServiceSettings):
    """Serves the portfolio's REST API, its WebSocket and the console; it decides nothing."""

    console_port: Port = 8000
    """REST, WebSocket and console; 0 takes a free port and logs it"""
    auth: Literal["local", "token"] = Field(default="local", validate_default=True)
    """who may ask: `local` serves this machine's user without a token, on loopback only; `token`
    serves any address, and whoever has the token"""
    token_file: Path | None = Field(default=None, validate_default=True)
    """file with the token of `auth: token`; read again when it changes"""
    ledger_grpc: Address | None = None
    """the ledger's gRPC address, such as 127.0.0.1:50055"""
    risk_grpc: Address | None = None
    """risk's gRPC address"""
    strategy_grpc: Address | None = None
    """strategy's gRPC address"""
    monte_carlo_grpc: Address | None = None
    """monte_carlo's gRPC address"""
    drift_grpc: Address | None = None
    """drift's gRPC address"""
    research_grpc: Address | None = None
    """research's gRPC address"""
    probes: dict[str, Url] = Field(default_factory=dict)
    """the HTTP port of each process whose readiness is shown, such as
    {risk: "http://127.0.0.1:9103"}; one by https is known by its service's name"""

    @field_validator("auth")
    @classmethod
    def _only_on_loopback(cls, auth: str, others: ValidationInfo) -> str:
        """Without authentication, nobody but this machine's user may ask."""
        host = others.data.get("host")  # None where it was refused itself
        if auth == "local" and host is not None and not is_loopback(host):
            raise ValueError(
                f"it needs a loopback address, such as 127.0.0.1, and host is {host!r}; "
                "`token` serves other addresses"
            )
        return auth

    @field_validator("token_file")
    @classmethod
    def _with_a_token(cls, file: Path | None, others: ValidationInfo) -> Path | None:
        if others.data.get("auth") == "token" and file is None:
            raise ValueError("auth token needs the file with the token")
        return file
