"""Each service on a host of its own: its own files, its own network, a cable to NATS and no more.

Every process has a mount namespace in which the run's folder holds its own settings and its own key
and nothing else (market_data finds its store there, the ledger makes its database there), and a
network namespace whose only way out ends at nats-server. Only the supervisor looks in from outside,
at /readyz and at the ledger's count of closes. No call by gRPC between services is let through.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from stratvector.cli.platform import local
from stratvector.cli.platform.bus import LocalBus
from stratvector.cli.platform.commands import command_of
from stratvector.cli.platform.ports import PortPlan
from stratvector.cli.platform.readiness import SILENT, Readiness
from stratvector.trading.flow import SERVICES
from tests.hosts.network import HUB, HUB_ADDRESS, Network, refusal
from tests.sessions.backtest_equality import assert_equal_to_backtest
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.process_flow import Disturb, Running, run_processes

WHY_NOT = refusal()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"no hosts of their own here: {WHY_NOT}")

OWN_FILES = ("unshare", "--mount", "--propagation", "private")
LOOK_SECONDS = 0.1
CUT_SECONDS = 30.0
Say = Callable[[str], None]


class Walls:
    """Gives each process a host of its own, with a folder of its own in the place of the run's."""

    def __init__(self, network: Network, folder: Path, own: Path) -> None:
        self.network, self.folder, self.own = network, folder, own
        self.ports: dict[str, list[int]] = {}

    def bus(self, session_folder: Path, ports: PortPlan) -> LocalBus:
        """The bus in the hub: all cables end at it, its monitor is the hub's own."""
        bus = LocalBus(session_folder, ports)
        config = session_folder.absolute() / "nats" / "server.conf"
        listen = f'listen: "{{}}:{ports.nats}"'
        text = config.read_text().replace(listen.format("127.0.0.1"), listen.format("0.0.0.0"))
        config.write_text(text)
        bus.command = tuple(self.network.inside(HUB, *bus.command))
        self.network.open_window(HUB, [ports.nats])
        self.ports[HUB] = [ports.nats]
        return bus

    def command(self, service: str, settings: Path) -> list[str]:
        """The service's command, inside."""
        host = settings.stem
        place = self.own / host
        (place / "settings").mkdir(parents=True)
        (place / "keys").mkdir()
        told = yaml.safe_load(settings.read_text())
        told["nats_url"] = f"nats://{HUB_ADDRESS}:{self.ports[HUB][0]}"
        (place / "settings" / settings.name).write_text(yaml.safe_dump(told))
        shutil.copy(self.folder / "keys" / f"{service}.seed", place / "keys")
        if service == "market_data":
            shutil.copytree(self.folder / "store", place / "store")
        self.network.add_host(host)
        self.ports[host] = [told["http_port"], told["grpc_port"]]
        self.network.open_window(host, self.ports[host])
        script = f"mount --bind '{place}' '{self.folder}' && exec \"$@\""
        own = (*OWN_FILES, "sh", "-c", script, "sh", *command_of(service, settings))
        return self.network.inside(host, *own)

    def kept_of(self, process: str) -> set[str]:
        """What a process has in its folder beside settings and key."""
        return {path.name for path in (self.own / process).iterdir()} - {"settings", "keys"}

    def reached_from(self, host: str) -> set[tuple[str, int]]:
        """Of what listens on other hosts, all that takes a connection from this one."""
        return {
            (other, port)
            for other, ports in self.ports.items()
            for port in ports
            if other != host
            for address in {HUB_ADDRESS, self.network.address(other), "127.0.0.1"}
            if self.network.reaches(host, address, port)
        }

    async def cut_off(self, run: Running, service: str, seconds: float) -> str:
        """Cut a service off for so long, at least until it says so; what it said."""
        child, ready = run.platform.children[service], await self._readiness(run, service)
        assert ready.is_ready, f"{service} was to be ready before the cut: {ready}"
        starts, said = child.starts, list[Readiness]()
        self.network.cut(service)
        heal_at = asyncio.get_running_loop().time() + seconds
        while not said or asyncio.get_running_loop().time() < heal_at:
            await asyncio.sleep(LOOK_SECONDS)
            now = await self._readiness(run, service)
            assert not (said and now.is_ready), f"{service} is ready while it is cut off"
            said += [] if now.is_ready or now.state == SILENT else [now]
        stands_at = await run.fraction()
        self.network.heal(service)
        await run.reach(stands_at + 0.05)
        reasons = "; ".join(dict.fromkeys(one.reason for one in said))
        return f"{service} at {stands_at:.0%}: {reasons}; {child.starts - starts} new starts"

    async def _readiness(self, run: Running, service: str) -> Readiness:
        return (await run.platform.readiness())[service]


@pytest.fixture
def walls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walls]:
    with Network() as network:
        made = Walls(network, tmp_path / "session", tmp_path / "own")
        monkeypatch.setattr(local, "command_of", made.command)
        monkeypatch.setattr(local, "LocalBus", made.bus)
        yield made


def cutting(walls: Walls, service: str, seconds: float, seen: list[str]) -> Disturb:
    async def disturb(run: Running) -> None:
        await run.reach(0.2)
        seen.append(await walls.cut_off(run, service, seconds))

    return disturb


def test_with_nats_alone_between_them_and_one_cut_off_the_session_is_the_same_to_the_bit(
    walls: Walls, tmp_path: Path, say: Say
) -> None:
    seen, reached = list[str](), dict[str, set[tuple[str, int]]]()
    session = generated_session(6, Shape(2, 2, 2, closes=1_000, warmup=3))

    async def disturb(run: Running) -> None:
        await cutting(walls, "execution", 0.0, seen)(run)
        reached["risk"] = await asyncio.to_thread(walls.reached_from, "risk")

    flow = run_processes(tmp_path, session, replicas={"risk": 2}, disturb=disturb)
    assert_equal_to_backtest(session, flow)
    assert reached == {"risk": {(HUB, walls.ports[HUB][0])}}
    kept = {one: walls.kept_of(one) for one in (*SERVICES, "risk-2")}
    assert kept.pop("market_data") == {"store"}
    assert kept.pop("ledger") >= {"ledger.db"}
    assert set().union(*kept.values()) == set()
    assert not (tmp_path / "session" / "ledger.db").exists()
    say(f"cut off: {'; '.join(seen)}; equal to the backtest")


@pytest.mark.long
@pytest.mark.parametrize("service", ["execution", "risk"])
def test_a_service_cut_off_for_thirty_seconds_and_healed_changes_nothing(
    service: str, walls: Walls, tmp_path: Path, say: Say
) -> None:
    seen, session = list[str](), generated_session(6, Shape(2, 2, 2, closes=1_000, warmup=3))
    flow = run_processes(tmp_path, session, disturb=cutting(walls, service, CUT_SECONDS, seen))
    assert_equal_to_backtest(session, flow)
    say(f"cut off: {'; '.join(seen)}; equal to the backtest")


@pytest.mark.long
@pytest.mark.parametrize("service", ["execution", "risk"])
def test_an_owner_that_is_cut_off_is_replaced_and_publishes_nothing_when_it_is_healed(
    service: str, walls: Walls, tmp_path: Path, say: Say
) -> None:
    seen, session = list[str](), generated_session(6, Shape(2, 2, 2, closes=1_500, warmup=3))

    async def disturb(run: Running) -> None:
        cut_at = await run.reach(0.2)
        before, children = await run.owner(service), run.platform.children
        host = next(name for name, child in children.items() if child.pid == before.pid)
        walls.network.cut(host)
        after = await run.new_owner(service, before)
        healed_at = await run.reach(cut_at + 0.05)  # a new owner has decided by then
        walls.network.heal(host)
        while children[host].pid == before.pid:
            await asyncio.sleep(LOOK_SECONDS)
        assert healed_at < 1.0, "the session ended while the owner was cut off"
        epochs = f"epoch {before.epoch} -> {after.epoch}"
        seen.append(f"{host} at {cut_at:.0%}: {epochs}, healed at {healed_at:.0%}")

    flow = run_processes(tmp_path, session, {service: 2}, disturb)
    assert_equal_to_backtest(session, flow)
    say(f"cut off: {'; '.join(seen)}; equal to the backtest")
