"""`stratvector apply` and `portfolios` on a real server: wanted, begun, told, and refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from stratvector.cli.main import app
from stratvector.config import load_session
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from tests.sessions.begun import begin

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place

CONFIG = "config/system.yaml"
SLOW = "IndexMeanReversionModel_v1"
SLOW_ENTRY = f'{{name: {SLOW}, version: "1.0.0", status: research, budget_fraction: 0.2}}'
SLOW_SETTINGS = f"""  {SLOW}:
    universe: coins
    asset_classes: [crypto]
    parameters: {{bb_period: 40}}
"""


@pytest.fixture
def server(place: Place) -> Iterator[NatsServer]:
    """A server with accounts, in the folder of a small configuration; its streams are made."""
    runner = CliRunner()
    made = runner.invoke(app, ["provision", "--keys", "keys", "--accounts", "accounts.conf"])
    assert made.exit_code == 0, made.stderr
    settings = ServerSettings(place.folder / "nats", free_port())
    accounts = Path("accounts.conf").read_text()
    server = NatsServer(settings, place.folder, place.folder / "nats.log", accounts=accounts)
    server.start()
    seed = ["--seed-file", "keys/provisioner.seed"]
    made = runner.invoke(app, ["provision", "--nats-url", server.url, *seed])
    assert made.exit_code == 0, made.stderr
    yield server
    server.kill()


def told(server: NatsServer, *arguments: str) -> tuple[int, str, str]:
    access = ("--nats-url", server.url, "--seed-file", "keys/apply.seed")
    done = CliRunner().invoke(app, [*arguments, *access])
    return done.exit_code, done.stdout, done.stderr


def document(server: NatsServer, *arguments: str) -> Any:
    return json.loads(told(server, *arguments, "--json")[1])


def begin_as_risk(server: NatsServer) -> None:
    async def scenario() -> None:
        client = await connect(server.url, Path("keys/risk.seed"), "risk", 30.0)
        await begin(JetStreamBus(client), load_session(CONFIG))
        await client.close()

    asyncio.run(scenario())


def test_a_portfolio_is_wanted_then_begun_and_applied_again_it_stays_as_it_is(
    place: Place, server: NatsServer
) -> None:
    code, said, _ = told(server, "apply", "-f", CONFIG, "--wait", "0")
    key = f"{load_session(CONFIG).portfolio.run}.small"
    assert code == 75
    assert said == (
        f"small in {key.removesuffix('.small')}: wanted, but no risk service has begun it yet. "
        "It stays wanted.\n"
    )
    (row,) = document(server, "portfolios", "list")["portfolios"]
    assert (row["key"], row["state"], row["version"]) == (key, "wanted", 1)
    begin_as_risk(server)
    assert told(server, "apply", "-f", CONFIG)[:2] == (
        0,
        f"small in {key.removesuffix('.small')}: it has begun.\n",
    )
    (row,) = document(server, "portfolios", "list")["portfolios"]
    assert (row["state"], row["version"], row["last_close"]) == ("running", 1, None)
    shown = document(server, "portfolios", "show", key)
    assert shown["document"]["portfolio"]["name"] == "small"
    history = document(server, "portfolios", "history", key)
    assert [one["chapter"] for one in history["chapters"]] == [1]
    for command in (["list"], ["show", key], ["history", key]):
        code, said, errors = told(server, "portfolios", *command)
        assert (code, errors) == (0, "")
        assert said


def test_a_look_changes_nothing_and_names_what_would_differ(
    place: Place, server: NatsServer
) -> None:
    applied = ("apply", "-f", CONFIG, "--run", "a")
    assert "it can be applied; new, it has not begun" in told(server, *applied, "--dry-run")[1]
    assert document(server, "portfolios", "list") == {"portfolios": []}
    assert told(server, "portfolios", "list")[1].startswith("No portfolio is wanted; ")
    told(server, *applied, "--wait", "0")
    assert told(server, *applied, "--diff")[1] == "nothing differs.\n"
    place.change("system.yaml", "per_asset_cap: 0.40", "per_asset_cap: 0.35")
    assert told(server, *applied, "--diff")[1] == "portfolio.limits.asset: 0.4 → 0.35\n"
    assert document(server, *applied, "--diff")["version"] == 1
    told(server, *applied, "--wait", "0")
    assert document(server, "portfolios", "show", "replay.a.small")["version"] == 2


def test_two_runs_of_one_portfolio_are_wanted_side_by_side(
    place: Place, server: NatsServer
) -> None:
    for run in ("a", "b"):
        told(server, "apply", "-f", CONFIG, "--run", run, "--wait", "0")
    rows = document(server, "portfolios", "list")["portfolios"]
    assert [one["key"] for one in rows] == ["replay.a.small", "replay.b.small"]


def test_what_has_begun_otherwise_is_refused_and_stays(place: Place, server: NatsServer) -> None:
    run = load_session(CONFIG).portfolio.run
    told(server, "apply", "-f", CONFIG, "--wait", "0")
    begin_as_risk(server)
    place.change("system.yaml", "initial_nav: 50000.00", "initial_nav: 60000.00")
    name = run.removeprefix("replay.")
    code, said, errors = told(server, "apply", "-f", CONFIG, "--run", name)
    assert (code, said) == (78, "")
    assert "document is not the one that its log began with" in errors
    assert told(server, "apply", "-f", CONFIG, "--run", name, "--dry-run")[0] == 78
    changes = document(server, "apply", "-f", CONFIG, "--run", name, "--diff")["changes"]
    assert [one["place"] for one in changes] == ["portfolio.accounts[simulated].initial_cash"]
    assert document(server, "portfolios", "list")["portfolios"][0]["version"] == 1


def test_a_limit_of_what_has_begun_may_change_and_waits_for_risk(
    place: Place, server: NatsServer
) -> None:
    name = load_session(CONFIG).portfolio.run.removeprefix("replay.")
    told(server, "apply", "-f", CONFIG, "--wait", "0")
    begin_as_risk(server)
    place.change("system.yaml", "per_asset_cap: 0.40", "per_asset_cap: 0.35")
    changed = ("apply", "-f", CONFIG, "--run", name)
    assert told(server, *changed, "--dry-run")[0] == 0
    code, said, _ = told(server, *changed, "--wait", "0")
    assert code == 75
    assert said.endswith("wanted, but no risk service has taken it up yet. It stays wanted.\n")
    assert document(server, "portfolios", "list")["portfolios"][0]["version"] == 2


def test_a_model_may_be_added_though_it_needs_more_warm_up_than_the_run_began_with(
    place: Place, server: NatsServer
) -> None:
    name = load_session(CONFIG).portfolio.run.removeprefix("replay.")
    told(server, "apply", "-f", CONFIG, "--wait", "0")
    begin_as_risk(server)
    entry = "{name: CryptoMomentumModel_v1"
    place.change("system.yaml", "budget_fraction: 0.6", "budget_fraction: 0.4")
    place.change("system.yaml", f"  - {entry}", f"  - {SLOW_ENTRY}\n  - {entry}")
    place.change(
        "models.yaml", "  CryptoMomentumModel_v1:", f"{SLOW_SETTINGS}  CryptoMomentumModel_v1:"
    )
    changed = ("apply", "-f", CONFIG, "--run", name)
    code, said, errors = told(server, *changed, "--diff")
    assert (code, errors) == (0, "")
    (added,) = [line for line in said.splitlines() if SLOW in line]
    assert added.startswith(f"model {SLOW}: added, IndexMeanReversionModel 1.0.0 (")
    assert added.endswith("), budget 20 % of universe coins")
    code, said, errors = told(server, *changed, "--wait", "0")
    assert (code, errors) == (75, "")
    assert said.endswith("wanted, but no risk service has taken it up yet. It stays wanted.\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["apply", "-f", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (
            ["apply", "-f", CONFIG, "--run", "a b"],
            "--run 'a b': run is 'replay.a b'; after",
        ),
        (["portfolios", "show", "replay.1.none"], "there is no portfolio 'replay.1.none'; none"),
    ],
)
def test_wrong_input_is_one_sentence(
    server: NatsServer, arguments: list[str], sentence: str
) -> None:
    code, said, errors = told(server, *arguments)
    assert (code, said) == (1, "")
    assert sentence in errors
    assert errors.count("\n") == 1


def test_a_bus_that_is_not_there_is_one_sentence(place: Place) -> None:
    arguments = ["portfolios", "list", "--nats-url", f"nats://127.0.0.1:{free_port()}"]
    done = CliRunner().invoke(app, [*arguments, "--connect", "0.2"])
    assert done.exit_code == 1
    assert done.stderr.strip().count("\n") == 0
