"""settings: what a service process is told, by a YAML file and by the environment, which wins.

A key that no setting has is refused, in the file and under the service's prefix in the environment:
a misspelt setting never silently keeps its default. Values of secret settings are never repeated.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from stratvector.runtime.jetstream.keys import unfit_scheme
from stratvector.runtime.ports import LEASE_SECONDS
from stratvector.runtime.process.settings_file import BadSettings, read_settings_file
from stratvector.runtime.validation_sentences import MISSING, mistakes


def _no_boolean(value: Any) -> Any:
    """YAML reads `no` as false, which must not pass as 0."""
    if isinstance(value, bool):
        raise ValueError("it must be a number")
    return value


Whole = Annotated[int, BeforeValidator(_no_boolean)]
Port = Annotated[Whole, Field(ge=0, le=65535)]
Seconds = Annotated[float, BeforeValidator(_no_boolean), Field(gt=0, le=3600, allow_inf_nan=False)]


STANDARD_VARIABLES = {"OTEL_EXPORTER_OTLP_ENDPOINT": "otlp_endpoint"}
ENDPOINT = re.compile(r"https?://[^/@:\s]+:\d{1,5}/?|https?://\[[0-9a-fA-F:]+\]:\d{1,5}/?")


class LogLevel(StrEnum):
    """The least severe event that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ProcessSettings(BaseSettings):
    """What every process is told. A subclass's docstring is what `--help` says of the service."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    """address that the service's own ports listen on"""
    grpc_port: Port = 0
    """gRPC: health, reflection and the service's questions; 0 takes a free port and logs it"""
    advertised_address: str = ""
    """host:port at which other replicas of the service reach its gRPC port; empty is the port that
    it listens on, at host, or at this machine's own address where host is every address"""
    http_port: Port = 0
    """/metrics, /healthz and /readyz; 0 takes a free port and logs it"""
    allowed_hosts: tuple[str, ...] = ()
    """further names in the Host header of requests to the HTTP port, such as a container's, a list
    (JSON in the environment); its address and this machine's own names always pass"""
    drain_seconds: Seconds = 10.0
    """longest time for a clean stop"""
    stall_seconds: Seconds = 10.0
    """/healthz fails when the event loop did not turn for so long"""
    tls_ca_file: Path | None = None
    """PEM file of the authorities that sign this deployment's certificates; with the two below,
    every connection is TLS; none leaves all plain, for loopback"""
    tls_certificate_file: Path | None = None
    """PEM file of this process's certificate, read again when it changes"""
    tls_key_file: Path | None = Field(default=None, validate_default=True)
    """PEM file of the certificate's key"""
    otlp_endpoint: str | None = None
    """where OpenTelemetry spans go by OTLP over gRPC, such as http://localhost:4317; none sends
    and costs nothing. OTEL_EXPORTER_OTLP_ENDPOINT is the default"""
    log_level: LogLevel = LogLevel.INFO
    """least severe event that is logged: debug, info, warning or error"""
    debug_mode: bool = False
    """asyncio's debug mode: slow callbacks and forgotten coroutines are logged"""
    verbose_logging: bool = False
    """log everything, whatever log_level says"""

    @field_validator("tls_key_file")
    @classmethod
    def _all_or_none(cls, key: Path | None, others: ValidationInfo) -> Path | None:
        """A part of them would leave a port plain that somebody thinks is not."""
        ca, certificate = (others.data.get(f"tls_{one}_file") for one in ("ca", "certificate"))
        if len({key is None, ca is None, certificate is None}) > 1:
            raise ValueError(
                "tls_ca_file, tls_certificate_file and tls_key_file go together: all or none"
            )
        return key

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_endpoint(cls, endpoint: str | None) -> str | None:
        """What gRPC can't reach would fail at each batch only."""
        if endpoint is not None and not ENDPOINT.fullmatch(endpoint):
            raise ValueError("it must be http://HOST:PORT, or https:// where the collector has TLS")
        return endpoint

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` found: it knows the service's prefix."""
        return (init_settings,)


class ServiceSettings(ProcessSettings):
    """What a service on the bus is told; which portfolio it works for, it finds there."""

    nats_url: str = "nats://127.0.0.1:4222"
    """the NATS server; tls:// with TLS settings"""
    nats_seed_file: Path | None = None
    """file with the service's nkey seed, read again at each connection; none where the server has
    no accounts"""
    lease_seconds: Seconds = LEASE_SECONDS
    """a lane whose owner is silent for so long is free for a standby"""

    @field_validator("nats_url")
    @classmethod
    def _fit_address(cls, url: str, others: ValidationInfo) -> str:
        """The address is told in logs and on /readyz; nothing goes on in plain text."""
        if "@" in url:
            raise ValueError("it must hold no name and no password; nats_seed_file is the key")
        if (why := unfit_scheme(url, others.data.get("tls_key_file") is not None)) is not None:
            raise ValueError(why)
        return url


Settings = TypeVar("Settings", bound=ProcessSettings)
BusSettings = TypeVar("BusSettings", bound=ServiceSettings)


def load_settings(service: str, settings_type: type[Settings], file: Path | None) -> Settings:
    """The settings of a service, from a file if there is one, and from the environment.

    Raises BadSettings with one sentence that names each wrong key and the rule that it breaks.
    """
    values = {} if file is None else read_settings_file(file)
    unknown = [*_unknown_keys(values, settings_type, file)]
    unknown += _unknown_variables(settings_type, service)
    if unknown:
        raise BadSettings("; ".join(unknown))
    try:
        told = _Environment(settings_type, env_prefix=prefix(service))()
        return settings_type.model_validate({**_standard(), **values, **told})
    except ValidationError as error:
        raise BadSettings("; ".join(_sentences(error, settings_type, service, file))) from None


class _Environment(EnvSettingsSource):
    """Variables; a list or table that is no JSON is refused like any other wrong value."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """The list or table, or the text as it is: the setting's own rule then refuses it."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def prefix(service: str) -> str:
    """What the names of a service's environment variables begin with."""
    return f"STRATVECTOR_{service.upper()}_"


def variable(service: str, key: str) -> str:
    """The environment variable of a setting."""
    return prefix(service) + key.upper()


def _standard() -> dict[str, str]:
    """What variables that other programs read too say; the weakest source."""
    return {key: os.environ[n] for n, key in STANDARD_VARIABLES.items() if os.environ.get(n)}


def is_secret(settings_type: type[ProcessSettings], key: str) -> bool:
    """Whether a setting's value must not be repeated anywhere."""
    annotation = settings_type.model_fields[key].annotation
    return SecretStr in (annotation, *get_args(annotation))


def _unknown_keys(
    values: Mapping[str, Any], settings_type: type[ProcessSettings], file: Path | None
) -> Iterator[str]:
    known = list(settings_type.model_fields)
    for key in sorted(set(values) - set(known)):
        yield f"{file}: there is no setting {key}; the nearest is {nearest(key, known)}"


def _unknown_variables(settings_type: type[ProcessSettings], service: str) -> Iterator[str]:
    known = [variable(service, key) for key in settings_type.model_fields]
    for name in sorted(os.environ):
        if name.upper().startswith(prefix(service)) and name.upper() not in known:
            closest = nearest(name.upper(), known)
            yield f"environment: there is no setting {name}; the nearest is {closest}"


def nearest(word: str, known: list[str]) -> str:
    """The known word that looks most like another one."""
    return get_close_matches(word, known, n=1, cutoff=0.0)[0]


def _sentences(
    error: ValidationError, settings_type: type[ProcessSettings], service: str, file: Path | None
) -> Iterator[str]:
    for found in mistakes(error.errors()):
        mistake = replace(found, place=found.place[:1])  # keys within its value are not repeated
        key = mistake.key
        places = f"set {key} in the settings file or {variable(service, key)}"
        if mistake.kind == MISSING:
            yield f"{key} is required: {places}"
            continue
        secret = is_secret(settings_type, key) or "@" in str(mistake.value)
        yield f"{mistake.refusal('that value' if secret else repr(mistake.value))}; {places}"
