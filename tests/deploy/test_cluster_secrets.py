"""Keys, token, password and certificates as Secrets of a namespace: made once, kept ever after."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from stratvector.cli import cluster_secrets
from stratvector.cli.cluster_api import ClusterApi, ClusterRefused
from stratvector.cli.main import app
from stratvector.runtime.jetstream.accounts import USERS
from tests.deploy.cluster_api_server import ApiServer

PREFIX = "stratvector"
CERTIFICATE = {"ca.crt": b"authority", "tls.crt": b"certificate", "tls.key": b"key"}


def api_of(server: ApiServer) -> ClusterApi:
    return ClusterApi.of_pod(server.account(), server.environment())


def provisioned(folder: Path) -> Path:
    """What the job's second container makes, by the command itself; certificates by hand."""
    folder.mkdir(exist_ok=True)
    files = ["--keys", str(folder / "keys"), "--accounts", str(folder / "accounts.conf")]
    made = CliRunner().invoke(app, ["provision", *files])
    assert made.exit_code == 0, made.output
    for identity in ("risk", "nats"):
        own = folder / "certificates" / identity
        own.mkdir(parents=True, exist_ok=True)
        for name, content in CERTIFICATE.items():
            (own / name).write_bytes(content)
    for name in ("ca.crt", "ca.key"):
        (folder / "certificates" / name).write_bytes(b"authority")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_each_service_gets_a_secret_of_its_own_key_alone(tmp_path: Path) -> None:
    with ApiServer(tmp_path) as server:
        folder = provisioned(tmp_path / "work")
        cluster_secrets.store(api_of(server), folder, PREFIX)
        for user in USERS:
            held = server.content(f"{PREFIX}-keys-{user.replace('_', '-')}")
            wanted = {f"{user}.seed": (folder / "keys" / f"{user}.seed").read_bytes()}
            if user == "gateway":
                wanted["gateway.token"] = (folder / "keys" / "gateway.token").read_bytes()
            assert held == wanted
        assert server.content(f"{PREFIX}-tls-risk") == CERTIFICATE
        assert server.secrets[f"{PREFIX}-tls-risk"]["type"] == "kubernetes.io/tls"
        assert server.content(f"{PREFIX}-ca")["ca.key"] == b"authority"


def test_fetched_secrets_are_the_files_again_so_that_a_second_run_changes_nothing(
    tmp_path: Path,
) -> None:
    with ApiServer(tmp_path) as server:
        first = provisioned(tmp_path / "first")
        cluster_secrets.ensure_passwords(first, ["postgresql"])
        assert cluster_secrets.store(api_of(server), first, PREFIX)
        second = tmp_path / "second"
        cluster_secrets.fetch(api_of(server), second, PREFIX)
        assert files_of(second) == files_of(first)
        provisioned(second)
        cluster_secrets.ensure_passwords(second, ["postgresql"])
        assert cluster_secrets.store(api_of(server), second, PREFIX) == []
        assert {verb for verb, _ in server.asked[-40:]} == {"GET"}


def test_one_absent_key_is_made_and_the_accounts_keep_all_others(tmp_path: Path) -> None:
    with ApiServer(tmp_path) as server:
        cluster_secrets.store(api_of(server), provisioned(tmp_path / "first"), PREFIX)
        before = server.content(f"{PREFIX}-keys-risk")
        del server.secrets[f"{PREFIX}-keys-drift"]
        work = tmp_path / "second"
        cluster_secrets.fetch(api_of(server), work, PREFIX)
        changed = cluster_secrets.store(api_of(server), provisioned(work), PREFIX)
        assert changed == ["keys-drift", "accounts"]
        assert server.content(f"{PREFIX}-keys-risk") == before


def test_what_somebody_else_put_into_a_secret_stays(tmp_path: Path) -> None:
    with ApiServer(tmp_path) as server:
        folder = provisioned(tmp_path / "work")
        api = api_of(server)
        api.make_secret(f"{PREFIX}-accounts", {"accounts.conf": b"old", "note": b"ours"}, PREFIX)
        cluster_secrets.store(api, folder, PREFIX)
        held = server.content(f"{PREFIX}-accounts")
        assert held["note"] == b"ours"
        assert held["accounts.conf"] == (folder / "accounts.conf").read_bytes()


def test_a_password_is_made_once_and_fits_into_an_url(tmp_path: Path) -> None:
    cluster_secrets.ensure_passwords(tmp_path, ["postgresql"])
    first = (tmp_path / "passwords" / "postgresql").read_text()
    cluster_secrets.ensure_passwords(tmp_path, ["postgresql"])
    assert (tmp_path / "passwords" / "postgresql").read_text() == first
    assert len(first) >= 32
    assert first.isalnum()


def test_a_secret_that_was_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with ApiServer(tmp_path) as server:
        api = api_of(server)
        api.make_secret("stratvector-x", {"a": b"1"}, PREFIX)
        with pytest.raises(ClusterRefused, match="Secret stratvector-x was made meanwhile"):
            api.make_secret("stratvector-x", {"a": b"2"}, PREFIX)
        assert server.content("stratvector-x") == {"a": b"1"}


def test_a_missing_right_is_one_sentence_with_the_api_s_reason(tmp_path: Path) -> None:
    with ApiServer(tmp_path, allowed={"GET"}) as server:
        with pytest.raises(ClusterRefused) as refusal:
            cluster_secrets.store(api_of(server), provisioned(tmp_path / "work"), PREFIX)
        assert "can't make Secret stratvector-keys-" in str(refusal.value)
        assert "403, secrets is forbidden: cannot post" in str(refusal.value)


def test_a_server_of_another_authority_is_told_no_token(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with ApiServer(tmp_path) as server, ApiServer(tmp_path / "other") as other:
        api = ClusterApi.of_pod(server.account(), other.environment())
        with pytest.raises(ClusterRefused, match=r"does not answer: .*certificate verify failed"):
            api.secret("stratvector-ca")
        assert other.asked == []


def test_outside_of_a_pod_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    asked = ["fetch", "--folder", str(tmp_path), "--prefix", PREFIX]
    assert cluster_secrets.main(asked) == 1
    assert capsys.readouterr().err == (
        "cluster_secrets: KUBERNETES_SERVICE_HOST is not set; this runs in a pod\n"
    )
