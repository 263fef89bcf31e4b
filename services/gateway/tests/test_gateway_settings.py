"""Without authentication only this machine may be listened on, and addresses are addresses."""

from pathlib import Path

import pytest
import yaml

from stratvector.runtime.process.settings import load_settings
from stratvector.runtime.process.settings_file import BadSettings
from stratvector.services.gateway.settings import GatewaySettings


def loaded(folder: Path, **values: object) -> GatewaySettings:
    file = folder / "gateway.yaml"
    file.write_text(yaml.safe_dump(values))
    return load_settings("gateway", GatewaySettings, file)


def test_the_defaults_listen_on_loopback_and_know_nobody(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert (settings.host, settings.console_port, settings.auth) == ("127.0.0.1", 8000, "local")
    assert (settings.ledger_grpc, settings.probes) == (None, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_listened_on(tmp_path: Path, host: str) -> None:
    assert loaded(tmp_path, host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "example.org", ""])
def test_any_other_address_is_refused_in_one_sentence(tmp_path: Path, host: str) -> None:
    with pytest.raises(BadSettings) as refused:
        loaded(tmp_path, host=host)
    assert str(refused.value) == (
        "auth can't be 'local': it needs a loopback address, such as 127.0.0.1, and host is "
        f"{host!r}; `token` serves other addresses; "
        "set auth in the settings file or STRATVECTOR_GATEWAY_AUTH"
    )


def test_any_address_is_served_with_a_token_and_not_without_its_file(tmp_path: Path) -> None:
    settings = loaded(tmp_path, host="0.0.0.0", auth="token", token_file="secret/token")
    assert (settings.host, settings.token_file) == ("0.0.0.0", Path("secret/token"))
    with pytest.raises(BadSettings, match=r"^token_file can't be None: auth token needs the file"):
        loaded(tmp_path, host="0.0.0.0", auth="token")


@pytest.mark.parametrize("address", ["127.0.0.1", "http://127.0.0.1:1", "a b:1", ":50055"])
def test_what_is_no_address_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(BadSettings, match=r"^ledger_grpc can't be "):
        loaded(tmp_path, ledger_grpc=address)


def test_probes_come_from_the_environment_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATVECTOR_GATEWAY_PROBES", '{"risk": "http://127.0.0.1:9103"}')
    assert loaded(tmp_path).probes == {"risk": "http://127.0.0.1:9103"}
    monkeypatch.setenv("STRATVECTOR_GATEWAY_PROBES", '{"risk": "127.0.0.1:9103"}')
    with pytest.raises(BadSettings, match=r"^probes can't be"):
        loaded(tmp_path)


def test_other_ways_to_say_who_may_ask_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        BadSettings, match=r"^auth can't be 'none': input should be 'local' or 'token'"
    ):
        loaded(tmp_path, auth="none")
