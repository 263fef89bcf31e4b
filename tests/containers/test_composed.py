"""docker-compose.yml: the sample session through containers, with the faults that containers have.

One platform serves all of these tests, in their order.
"""

import asyncio
import json
import os
import shutil
import signal
import ssl
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from stratvector.cli.parity import examined
from stratvector.runtime.certificates import COMMAND_LINE, Certificates
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.session_in_log import read_logged_session
from stratvector.trading.logged import SessionLog
from tests.containers.composed_platform import STRATVECTOR, Platform, said_by
from tests.containers.conftest import FURTHER, SHORT
from tests.containers.engine import ROOT, Composed, docker, inspected, until
from tests.e2e.browser import PATIENCE_MS, browser_path, opened

WATCHING = ("prometheus", "alertmanager", "alert-webhook")
CLOSES_PER_S_MAX = "5"  # so that faults come while it runs, on a busy machine too
CUT_SECONDS = 8.0
TRADING = "2017-10-03"
SHORT_END, END = "2018-06-30", "2019-09-30"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, is_short: bool) -> Iterator[Platform]:
    """The whole compose file but Grafana, whose image can't be had without a registry."""
    own = tmp_path_factory.mktemp("composed")
    config = own / "config"
    shutil.copytree(ROOT / "config", config)
    system = config / "system.yaml"
    if is_short:
        system.write_text(system.read_text().replace(f"end: {END}", f"end: {SHORT_END}"))
    backtest = ("backtest", "run", "--config", str(system), "--out", str(own / "results"), "--json")
    here = json.loads(said_by(STRATVECTOR, *backtest))
    services = SHORT if is_short else SHORT + FURTHER
    settings = {"CONFIG": str(config), "CLOSES_PER_S_MAX": CLOSES_PER_S_MAX}
    name = f"stratvector-test-{os.getpid()}"
    started = ("nats", "postgres", *services, *WATCHING, "apply")
    with Composed(name, started, settings) as composed:
        yield Platform(composed, services, own, here)
    left = docker("volume", "ls", "--quiet", "--filter", f"name={name}")
    assert left == ""


def test_every_container_becomes_healthy(platform: Platform) -> None:
    for service in ("nats", "postgres", *platform.services, "prometheus", "alertmanager"):
        until(
            lambda of=service: platform.composed.is_healthy(of),  # type: ignore[misc]
            f"health of {service}: {platform.composed.logs(service)[-2000:]}",
        )


def test_no_two_services_share_a_volume_and_each_is_locked(platform: Platform) -> None:
    owners: dict[str, str] = {}
    for service in ("nats", "postgres", *platform.services):
        (container,) = platform.composed.containers(service)
        known = inspected("container", container)
        for mount in known["Mounts"]:
            if mount["Type"] == "volume":
                assert owners.setdefault(mount["Name"], service) == service
        host = known["HostConfig"]
        assert known["Config"]["User"] == "10001:10001"
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Memory"]
        assert host["PidsLimit"]
    assert len(set(owners.values())) == 2 + len(platform.services)


def test_it_is_backed_up_while_it_trades(platform: Platform) -> None:
    if platform.services == SHORT:
        pytest.skip("the short form makes no backup")
    until(lambda: (platform.portfolio().get("last_close") or "") > TRADING, "trading")
    platform.composed.script("backup", str(platform.backups))
    (made,) = platform.backups.glob("stratvector-*/backup.json")
    assert json.loads(made.read_text())["decisions"]
    assert platform.portfolio()["state"] != "held"


def test_killed_cut_off_and_doubled_it_is_the_backtest_to_the_bit(
    platform: Platform, say: Any
) -> None:
    """A container dies at once, one loses its network, a third gets a replica, a fourth is made
    anew with another pace, while it trades.
    """
    until(lambda: (platform.portfolio().get("last_close") or "") > TRADING, "trading")
    composed = platform.composed
    (killed,) = composed.containers("execution")
    os.kill(composed.state(killed)["Pid"], signal.SIGKILL)
    composed.compose("up", "--detach", "--no-build", "--no-recreate", "--scale", "strategy=2",
                     "strategy")  # fmt: skip
    (cut,) = composed.containers("risk")
    docker("network", "disconnect", composed.network, cut)
    time.sleep(CUT_SECONDS)
    docker("network", "connect", "--alias", "risk", composed.network, cut)
    owners = until(lambda: _both_own(platform), "two replicas that own lanes")
    assert _recorded(platform)["closes"] < platform.here["close_times"]
    composed.change("market_data", CLOSES_PER_S_MAX="100000")
    closes = _until_equal(platform)
    assert composed.state(killed)["RestartCount"] == 1
    say(f"containers: {closes:,} closes equal, lanes of strategy by {owners}")


def _until_equal(platform: Platform) -> int:
    """The closes of the session, once it has ended; it must be the backtest."""
    here = platform.here
    until(lambda: _recorded(platform)["closes"] == here["close_times"], "the end")
    session, log = asyncio.run(_read(platform))
    found = examined(platform.own, session, log)
    assert found.passed, found.document()
    assert (found.parity.orders, found.parity.fills) == (here["orders"], here["fills"])
    assert float(_recorded(platform)["equity"]) == pytest.approx(here["final_equity"], abs=0.005)
    return int(found.parity.closes)


def _both_own(platform: Platform) -> dict[str, int]:
    rows = platform.metrics('count by (instance) (stratvector_lane_owner{job="strategy"} == 1)')
    found = {row["metric"]["instance"]: int(row["value"][1]) for row in rows}
    return found if len(found) == 2 else {}


def _recorded(platform: Platform) -> dict[str, Any]:
    address = f"{platform.composed.address('ledger')}:50051"
    return platform.asked("ledger", "status", "--address", address)


async def _read(platform: Platform) -> tuple[LoggedSession, SessionLog]:
    seed = platform.made("keys/operator.seed")
    presented = Certificates(platform.tls(), COMMAND_LINE)
    client = await connect(platform.nats, seed, "containers", 30.0, certificates=presented)
    try:
        found = await read_logged_session(JetStreamBus(client))
    finally:
        await client.close()
    assert found is not None
    return found


def test_prometheus_scrapes_every_replica_of_every_service(platform: Platform) -> None:
    wanted = dict.fromkeys(platform.services, 1) | {"strategy": 2}
    query = 'sum by (job) (up{job!="prometheus"} == 1)'

    def scraped() -> bool:
        rows = platform.metrics(query)
        found = {row["metric"]["job"]: int(row["value"][1]) for row in rows}
        return all(found.get(job) == count for job, count in wanted.items())

    until(scraped, "scrapes of all")
    assert platform.metrics('ALERTS{alertname="Watchdog", alertstate="firing"}')


def test_the_console_is_entered_with_the_token_over_tls(platform: Platform) -> None:
    if "gateway" not in platform.services:
        pytest.skip("the short form has no gateway")
    url = f"https://127.0.0.1:{platform.composed.ports['CONSOLE_PORT']}"
    trusting = ssl.create_default_context(cafile=platform.made("tls/ca.crt"))
    with urllib.request.urlopen(f"{url}/login", timeout=10, context=trusting) as answer:
        assert "Log in" in answer.read().decode()
    if browser_path() is None:
        pytest.skip("there is no Chromium to drive the console with; apt-get install chromium")
    token = platform.made("keys/gateway.token").read_text().strip()
    with opened(url, token=token) as seen:
        equity = f"{platform.here['final_equity']:,.2f}"
        expect(seen.page.get_by_test_id("equity")).to_contain_text(equity)
        for service in SHORT + FURTHER:
            line = seen.page.get_by_test_id(f"health-{service}")
            expect(line).to_have_attribute("data-level", "green", timeout=PATIENCE_MS)
        assert seen.complaints.errors == []
        assert seen.complaints.foreign == []


def test_an_alert_goes_all_the_way_to_the_webhook(platform: Platform) -> None:
    """Watchdog's, which always fires; and in the long form that of a service which answers no more,
    after the minute that it waits.
    """
    until(lambda: "Watchdog" in platform.composed.logs("alert-webhook"), "the heartbeat")
    if platform.services == SHORT:
        return
    (frozen,) = platform.composed.containers("market_data")
    docker("pause", frozen)
    until(lambda: "ServiceDown" in platform.composed.logs("alert-webhook"), "the alert")
    docker("unpause", frozen)


def test_nothing_went_wrong_that_nobody_was_told_of(platform: Platform) -> None:
    for service in platform.services:
        lines = platform.composed.logs(service).splitlines()
        worst = [line for line in lines if "Traceback" in line or '"level": "critical"' in line]
        assert worst == [], service


def test_a_backup_is_restored_elsewhere_and_held(platform: Platform, tmp_path: Path) -> None:
    """On a machine that has nothing; nobody orders anything until a person says so."""
    if platform.services == SHORT:
        pytest.skip("the short form makes no backup")
    (made,) = platform.backups.glob("stratvector-*")
    name = f"stratvector-restored-{os.getpid()}"
    settings = {"CONFIG": str(platform.own / "config"), "CLOSES_PER_S_MAX": "100000"}
    with Composed(name, ("nats", "postgres"), settings) as composed:
        composed.script("restore", str(made))
        restored = Platform(composed, SHORT, tmp_path, platform.here)
        composed.start(*SHORT)
        until(lambda: composed.is_healthy("execution"), "health of execution")
        until(lambda: "held" in composed.logs("execution"), "a word of what is held")
        portfolio = restored.portfolio()
        assert portfolio["state"] == "held"
        release = ("apply", "portfolios", "release", portfolio["key"])
        composed.script("run", "--rm", "-T", *release)
        _until_equal(restored)
        assert portfolio["last_close"] < restored.portfolio()["last_close"]
