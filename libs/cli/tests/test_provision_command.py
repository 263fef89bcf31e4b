"""`stratvector provision` on a real server: made once, told, and narrow."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from stratvector.cli import certificates
from stratvector.cli.main import app
from stratvector.runtime.certificates import IDENTITIES
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream import provisioner
from stratvector.runtime.jetstream.accounts import USERS
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.jetstream.topology import buckets, streams

NAMES = [stream.name for stream in (*streams(), *buckets())]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    file = tmp_path / "accounts.conf"
    done = CliRunner().invoke(app, ["provision", "--keys", "keys", "--accounts", str(file)])
    assert (done.exit_code, done.stdout) == (0, f"{file}: written; nats-server must load it.\n")
    return file


@pytest.fixture
def server(tmp_path: Path, accounts: Path) -> Iterator[NatsServer]:
    settings = ServerSettings(tmp_path / "store", free_port())
    made = NatsServer(settings, tmp_path, tmp_path / "log", accounts=accounts.read_text())
    made.start()
    yield made
    made.kill()


def invoke(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["provision", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_keys_and_accounts_are_made_once_and_kept(tmp_path: Path, accounts: Path) -> None:
    before = accounts.read_text()
    seeds = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    assert set(seeds) == {f"{user}.seed" for user in USERS} | {"gateway.token"}
    token = tmp_path / "keys" / "gateway.token"
    assert (len(token.read_text().strip()), token.stat().st_mode & 0o777) == (43, 0o600)
    assert accounts.stat().st_mode & 0o777 == 0o640
    code, said, _ = invoke("--keys", "keys", "--accounts", "accounts.conf")
    assert (code, said) == (0, "accounts.conf: unchanged.\n")
    assert accounts.read_text() == before
    assert seeds == {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}


def test_former_keys_are_accepted_until_they_are_left_out(accounts: Path) -> None:
    before = accounts.read_text()
    asked = ("--keys", "new", "--accounts", str(accounts))
    assert invoke(*asked, "--former-keys", "keys")[0] == 0
    between = accounts.read_text()
    assert invoke(*asked)[0] == 0
    after = accounts.read_text()
    old, both, new = (set(re.findall(r'nkey: "(\w+)"', one)) for one in (before, between, after))
    assert len(old) == len(new) == len(USERS)
    assert both == old | new
    assert not old & new
    assert between.count("permissions:") == 2 * after.count("permissions:")


def test_certificates_are_made_once_and_kept(tmp_path: Path) -> None:
    asked = ("--certificates", "tls", "--names", "gateway=trading.example.org", "--json")
    made, kept = (json.loads(invoke(*asked)[1])["certificates_made"] for _ in range(2))
    assert made == ["ca", *IDENTITIES]
    assert kept == []
    files = [one for one in (tmp_path / "tls").rglob("*") if one.is_file()]
    assert len(files) == 2 + 3 * len(IDENTITIES)
    assert {one.stat().st_mode & 0o777 for one in files} == {0o640}
    gateway = tmp_path / "tls" / "gateway" / "tls.crt"
    before = gateway.read_bytes()
    renewed = json.loads(invoke(*asked, "--renew")[1])["certificates_made"]
    assert renewed == [*IDENTITIES]
    assert gateway.read_bytes() != before
    (tmp_path / "tls" / "risk" / "tls.key").unlink()
    assert json.loads(invoke(*asked)[1])["certificates_made"] == ["risk"]
    assert json.loads(invoke(*asked[:2], "--json")[1])["certificates_made"] == ["gateway"]


def test_an_address_is_in_a_certificate_as_an_address(tmp_path: Path) -> None:
    names = "gateway=trading.example.org,gateway=198.51.100.5,gateway=::1"
    asked = ("--certificates", "tls", "--names", names, "--json")
    assert invoke(*asked)[0] == 0
    assert json.loads(invoke(*asked)[1])["certificates_made"] == []
    text = (tmp_path / "tls" / "gateway" / "tls.crt").read_bytes()
    found = x509.load_pem_x509_certificate(text).extensions
    has = found.get_extension_for_class(x509.SubjectAlternativeName).value
    assert has.get_values_for_type(x509.DNSName) == ["gateway", "trading.example.org"]
    addresses = [str(one) for one in has.get_values_for_type(x509.IPAddress)]
    assert addresses == ["198.51.100.5", "::1"]


def test_a_certificate_that_nears_its_end_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("--certificates", "tls", "--json")
    with monkeypatch.context() as patched:
        patched.setattr(certificates, "LEAF_DAYS", certificates.RENEW_DAYS - 1)
        invoke(*asked)
    assert json.loads(invoke(*asked)[1])["certificates_made"] == [*IDENTITIES]
    assert json.loads(invoke(*asked)[1])["certificates_made"] == []


def test_an_authority_without_its_key_is_told(tmp_path: Path) -> None:
    invoke("--certificates", "tls")
    (tmp_path / "tls" / "ca.key").write_text("nothing")
    code, _, told = invoke("--certificates", "tls")
    assert code == 1
    assert "are no authority" in told


def test_streams_and_buckets_are_made_once(server: NatsServer) -> None:
    asked = ("--nats-url", server.url, "--seed-file", "keys/provisioner.seed", "--json")
    documents = [json.loads(invoke(*asked)[1]) for _ in range(2)]
    assert [document["made"] for document in documents] == [NAMES, []]
    assert not Path("logs").exists()
    assert invoke(*asked[:-1])[1] == f"{server.url}: nothing was missing.\n"


def test_a_service_may_not_provision(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioner, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(provisioner, "PATIENCE_SECONDS", 0.2)
    code, _, told = invoke("--nats-url", server.url, "--seed-file", "keys/risk.seed", "--wait", "5")
    assert code == 1
    assert "did not answer STREAM.INFO" in told


def test_more_replicas_than_servers_are_refused_in_the_servers_words(server: NatsServer) -> None:
    seed = ("--seed-file", "keys/provisioner.seed")
    code, _, told = invoke("--nats-url", server.url, *seed, "--replicas", "3")
    assert code == 1
    assert told.startswith(
        "stratvector: the server refused stream CHAPTERS: replicas > 1 not supported"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            [],
            "name a server with --nats-url, files with --keys and --accounts, or a folder with "
            "--certificates",
        ),
        (["--renew"], "--renew and --names are about certificates: name --certificates too"),
        (
            ["--certificates", "tls", "--names", "risk=ledger"],
            "--names gives risk the name of another identity, ledger",
        ),
        (["--keys", "k"], "--keys and --accounts go together: accounts name the users' keys"),
        (
            ["--nats-url", "nats://127.0.0.1:1", "--replicas", "2"],
            "--replicas is 2; a stream has 1, 3 or 5 replicas",
        ),
        (
            ["--nats-url", "nats://127.0.0.1:1", "--seed-file", "no.seed"],
            "seed file no.seed can't be read: No such file or directory",
        ),
    ],
)
def test_what_cant_be_is_one_sentence(arguments: list[str], sentence: str) -> None:
    code, said, told = invoke(*arguments)
    assert (code, said, told) == (1, "", f"stratvector: {sentence}\n")
