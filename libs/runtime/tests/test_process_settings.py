"""Settings come from a file and from the environment, which wins; nothing else gets through."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from stratvector.runtime.process.arguments import settings_file_of
from stratvector.runtime.process.settings import LogLevel, ServiceSettings, load_settings
from stratvector.runtime.process.settings_file import BadSettings

SECRET = "s3cr3t-canary"


class VaultSettings(ServiceSettings):
    """Keeps a vault."""

    session: Path
    """where the vault is"""
    vault_key: SecretStr | None = None
    """opens the vault"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("STRATVECTOR_"):
            monkeypatch.delenv(name)


def load(folder: Path, text: str) -> VaultSettings:
    file = folder / "vault.yaml"
    file.write_text(text)
    return load_settings("vault", VaultSettings, file)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(BadSettings) as raised:
        load(folder, text)
    return str(raised.value)


def test_what_nobody_sets_has_its_default(tmp_path: Path) -> None:
    settings = load(tmp_path, "session: /data/session\n")
    assert settings == VaultSettings(session=Path("/data/session"))
    assert (settings.host, settings.http_port, settings.grpc_port) == ("127.0.0.1", 0, 0)
    assert (settings.lease_seconds, settings.drain_seconds) == (5.0, 10.0)
    assert settings.log_level is LogLevel.INFO
    assert settings.nats_seed_file is None


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATVECTOR_VAULT_HTTP_PORT", "9100")
    monkeypatch.setenv("STRATVECTOR_RISK_HTTP_PORT", "9200")
    settings = load(tmp_path, "session: /s\nhttp_port: 9000\ngrpc_port: 9001\n")
    assert (settings.http_port, settings.grpc_port) == (9100, 9001)


def test_the_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATVECTOR_VAULT_SESSION", "/s")
    assert load_settings("vault", VaultSettings, None).session == Path("/s")


def test_a_list_is_json_in_the_environment_and_anything_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(tmp_path, "session: /s\nallowed_hosts: [pod]\n").allowed_hosts == ("pod",)
    monkeypatch.setenv("STRATVECTOR_VAULT_ALLOWED_HOSTS", '["risk", "pod.example"]')
    assert load(tmp_path, "session: /s\n").allowed_hosts == ("risk", "pod.example")
    for text in ("risk,pod", "", '"risk"'):
        monkeypatch.setenv("STRATVECTOR_VAULT_ALLOWED_HOSTS", text)
        told = refusal(tmp_path, "session: /s\n")
        assert told.startswith("allowed_hosts can't be "), told
        assert told.endswith(
            "set allowed_hosts in the settings file or STRATVECTOR_VAULT_ALLOWED_HOSTS"
        )


def test_an_unknown_key_of_the_file_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    assert refusal(tmp_path, "session: /s\nhtpp_port: 1\n") == (
        f"{tmp_path}/vault.yaml: there is no setting htpp_port; the nearest is http_port"
    )


def test_an_unknown_variable_of_the_service_is_named_with_the_nearest_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATVECTOR_VAULT_NATS_SEED", "/key")
    assert refusal(tmp_path, "session: /s\n") == (
        "environment: there is no setting STRATVECTOR_VAULT_NATS_SEED; "
        "the nearest is STRATVECTOR_VAULT_NATS_SEED_FILE"
    )


def test_a_missing_setting_is_told_with_both_ways_to_give_it(tmp_path: Path) -> None:
    assert refusal(tmp_path, "") == (
        "session is required: set session in the settings file or STRATVECTOR_VAULT_SESSION"
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("http_port: 70000", "http_port can't be 70000: input should be less than or equal to"),
        ("http_port: -1", "http_port can't be -1: input should be greater than or equal to 0"),
        ("http_port: many", "http_port can't be 'many': input should be a valid integer"),
        ("lease_seconds: 0", "lease_seconds can't be 0: input should be greater than 0"),
        ("lease_seconds: .nan", "lease_seconds can't be nan: input should be"),
        ("drain_seconds: .inf", "drain_seconds can't be inf"),
        ("log_level: loud", "log_level can't be 'loud': input should be 'debug', 'info'"),
        ("session: [a]", "session can't be ['a']"),
        ("debug_mode: perhaps", "debug_mode can't be 'perhaps'"),
    ],
)
def test_a_wrong_value_is_told_with_its_rule(tmp_path: Path, line: str, told: str) -> None:
    text = line if line.startswith("session") else f"session: /s\n{line}\n"
    assert refusal(tmp_path, text).startswith(told)


def test_every_wrong_value_is_told_in_one_line(tmp_path: Path) -> None:
    told = refusal(tmp_path, "http_port: 70000\ngrpc_port: none\n")
    assert all(key in told for key in ("session", "http_port", "grpc_port"))
    assert "\n" not in told


def test_a_secret_is_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = refusal(tmp_path, f"session: /s\nvault_key: [{SECRET}]\n")
    assert told.startswith("vault_key can't be that value")
    assert SECRET not in told
    monkeypatch.setenv("STRATVECTOR_VAULT_VAULT_KEY", SECRET)
    settings = load(tmp_path, "session: /s\n")
    assert settings.vault_key is not None
    assert settings.vault_key.get_secret_value() == SECRET
    assert SECRET not in f"{settings} {settings!r} {settings.model_dump()}"


def test_a_password_in_the_bus_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    told = refusal(tmp_path, f"session: /s\nnats_url: nats://me:{SECRET}@host:4222\n")
    assert told.startswith("nats_url can't be that value: it must hold no name and no password")
    assert SECRET not in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("session: /s\nsession: /t\n", "line 2: key session stands twice"),
        ("- session\n", "the file must hold keys and values, such as `http_port: 9100`"),
        ("1: 2\n", "the file must hold keys and values, such as `http_port: 9100`"),
        ("session: [\n", "line 2:"),
        ("session: !!python/object:os.system x\n", "line 1: could not determine a constructor"),
        ("session: \x01\n", "it is not YAML: it holds a character that YAML forbids"),
    ],
)
def test_a_file_that_is_no_settings_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    assert refusal(tmp_path, text).startswith(f"{tmp_path}/vault.yaml: {told}")


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="no such settings file"):
        load_settings("vault", VaultSettings, tmp_path / "none.yaml")
    with pytest.raises(BadSettings, match="the file cannot be read: Is a directory"):
        load_settings("vault", VaultSettings, tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSettings, match="the file is not UTF-8 text"):
        load_settings("vault", VaultSettings, tmp_path / "binary")


def test_help_tells_what_the_service_does_and_every_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        settings_file_of("vault", VaultSettings, ["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "Keeps a vault." in told
    assert "python -m stratvector.services.vault" in told
    for key, field in VaultSettings.model_fields.items():
        assert f"STRATVECTOR_VAULT_{key.upper()})" in told
        assert field.description is not None
        assert field.description in told
    assert "session  (required;" in told
    assert "lease_seconds  (default 5.0;" in told


def test_a_wrong_option_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        settings_file_of("vault", VaultSettings, ["--setings", "x"])
    assert ended.value.code == 2
    assert "--setings" in capsys.readouterr().err


def test_the_option_names_the_file() -> None:
    assert settings_file_of("vault", VaultSettings, ["--settings", "a.yaml"]) == Path("a.yaml")
    assert settings_file_of("vault", VaultSettings, []) is None
