"""The table of hops is true: protos, codecs, services, and what the services do when they run."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from stratvector.contracts import codecs
from stratvector.runtime.deployment import GROUP, Build, Deployment, installed_services
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Arrivals, Bus, Message, Ports, Published, Stored
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.trading.flow import (
    COMPANIONS,
    FLOW,
    HOUSE,
    SERVICES,
    Hop,
    hop,
    produced_by,
    read_by,
    stream_of,
    subject,
)
from tests.sessions.generated_sessions import Shape, generated_session

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "proto/stratvector/contracts/v1"


def breaches(flow: Sequence[Hop]) -> Iterator[str]:
    """What a table of hops claims and the house does not have."""
    nouns = [h.noun for h in flow]
    for one in flow:
        yield from _contract_breaches(one)
        yield from _service_breaches(one)
        if nouns.count(one.noun) > 1:
            yield f"{one.noun} stands twice in the table"
        if not re.fullmatch(rf"{one.noun}(\.{{\w+}})+", one.subject):
            yield f"{one.noun}: subject {one.subject!r} is not the noun with its keys"
        if one.stream != one.noun.upper():
            yield f"{one.noun}: stream {one.stream} is not {one.noun.upper()}"


def _service_breaches(one: Hop) -> Iterator[str]:
    """A hop's services must be there, and have one part in it each."""
    installed = {point.name for point in entry_points(group=GROUP)}
    for service in (one.producer, *one.readers):
        if service not in installed and service not in COMPANIONS:
            yield f"{one.noun}: no installed service is called {service!r}"
        if not (ROOT / f"services/{service}/src/stratvector/services/{service}").is_dir():
            yield f"{one.noun}: services has no folder {service!r}"
    for service in COMPANIONS:
        if service in (one.producer, *one.consumers):
            yield f"{one.noun}: {service} is no part of a session, it may only follow"
    if one.producer in one.readers:
        yield f"{one.noun}: {one.producer} reads what it produces"
    for service in set(one.consumers) & set(one.followers):
        yield f"{one.noun}: {service} both consumes and follows"


def _contract_breaches(one: Hop) -> Iterator[str]:
    """A hop's message must be in the noun's proto file, and have codecs."""
    proto = PROTOS / f"{one.noun}.proto"
    messages = re.findall(r"^message (\w+)", proto.read_text(), re.M) if proto.is_file() else []
    if one.message not in messages:
        yield f"{one.noun}: {proto.name} has no message {one.message}"
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", one.message).lower()
    for codec in (f"encode_{name}", f"decode_{name}"):
        if codec not in codecs.__all__:
            yield f"{one.noun}: there is no {codec}"


@dataclass(frozen=True)
class Watched:
    """A bus that notes what goes through it."""

    bus: Bus
    published: set[str]
    consumed: set[str]
    looked_at: set[str]

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        self.published.add(message.subject)
        return await self.bus.publish(message, expected_sequence)

    async def last(self, subject: str) -> Stored | None:
        self.looked_at.add(subject)
        return await self.bus.last(subject)

    async def read(self, subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        self.looked_at.add(subject)
        return await self.bus.read(subject, after, limit)

    async def arrivals(self, subject: str) -> Arrivals:
        self.consumed.add(subject)
        return await self.bus.arrivals(subject)


@dataclass(frozen=True)
class Traffic:
    """Subjects per service."""

    published: dict[str, set[str]]
    consumed: dict[str, set[str]]
    looked_at: dict[str, set[str]]

    def watch(self, service: str, ports: Ports) -> Ports:
        logs = (self.published[service], self.consumed[service], self.looked_at[service])
        return replace(ports, bus=Watched(ports.bus, *logs))


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    """What every service published and read in one session."""
    session, store = generated_session(1, Shape(closes=80)), MemoryLedgerStore()
    seen = Traffic(defaultdict(set), defaultdict(set), defaultdict(set))
    world = World()
    for name, build in installed_services().items():
        world.add(name, partial(_watched, name, build, Deployment(session, store), seen))
    world.run(until=SERVICES)
    assert len(store.entries) == len(session.schedule)
    return seen


def _watched(
    service: str, build: Build, deployment: Deployment, traffic: Traffic, ports: Ports
) -> Tasks:
    return build(deployment, traffic.watch(service, ports))


def nouns(subjects: set[str]) -> set[str]:
    return {subject.split(".", 1)[0] for subject in subjects}


def test_the_table_claims_nothing_that_the_house_does_not_have() -> None:
    assert list(breaches(FLOW)) == []


def test_every_service_of_the_house_is_in_the_flow() -> None:
    assert set(SERVICES) == {point.name for point in entry_points(group=GROUP)}
    assert set(SERVICES) == {h.producer for h in FLOW}
    assert set(HOUSE) == {path.parent.name for path in (ROOT / "services").glob("*/README.md")}


def test_every_noun_of_the_table_is_a_proto_and_a_module_of_trading() -> None:
    for one in FLOW:
        module = "ledger" if one.noun == "positions" else one.noun
        assert (ROOT / f"libs/trading/src/stratvector/trading/{module}.py").is_file()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_publishes_exactly_the_nouns_that_it_owns(service: str, traffic: Traffic) -> None:
    assert nouns(traffic.published[service]) == {h.noun for h in produced_by(service)}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_consumes_exactly_the_nouns_that_the_table_gives_it(
    service: str, traffic: Traffic
) -> None:
    assert nouns(traffic.consumed[service]) == {h.noun for h in FLOW if service in h.consumers}
    # A process finds its portfolio by the chapter; in a world it is told.
    followed = {h.noun for h in FLOW if service in h.followers} - {"chapters"}
    assert nouns(traffic.looked_at[service]) >= followed


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_looks_only_at_lanes_that_it_reads_or_owns(
    service: str, traffic: Traffic
) -> None:
    its_own = {h.noun for h in (*produced_by(service), *read_by(service))}
    assert nouns(traffic.looked_at[service]) <= its_own


def test_every_subject_in_use_has_the_form_that_the_table_gives_it(traffic: Traffic) -> None:
    used = set().union(*traffic.published.values(), *traffic.consumed.values())
    for name in used:
        one = hop(name.split(".", 1)[0])
        form = re.escape(one.subject).replace(r"\{run\}", r"replay\.[\w-]+")
        assert re.fullmatch(re.sub(r"\\{\w+\\}", r"[\\w-]+", form), name)
        assert stream_of(name) == one.stream


def test_every_lane_has_one_publisher(traffic: Traffic) -> None:
    publishers = defaultdict(set)
    for service, subjects in traffic.published.items():
        for name in subjects:
            publishers[name].add(service)
    assert {len(services) for services in publishers.values()} == {1}


BARS = hop("bars")


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (replace(BARS, noun="ticks", subject="ticks.{universe}", stream="TICKS"), "ticks.proto"),
        (replace(BARS, message="Ticks"), "no message Ticks"),
        (replace(BARS, message="Decimal"), "no message Decimal"),
        (replace(BARS, subject=""), "subject ''"),
        (replace(BARS, subject="bars"), "subject 'bars'"),
        (replace(BARS, subject="prices.{universe}"), "subject 'prices.{universe}'"),
        (replace(BARS, stream="PRICES"), "stream PRICES"),
        (replace(BARS, producer=""), "no installed service is called ''"),
        (replace(BARS, producer="oracle"), "services has no folder 'oracle'"),
        (replace(BARS, consumers=("strategy", "crystal")), "called 'crystal'"),
        (replace(BARS, followers=("crystal",)), "called 'crystal'"),
        (replace(BARS, followers=("risk",)), "risk both consumes and follows"),
        (replace(BARS, producer="risk"), "risk reads what it produces"),
    ],
    ids=lambda value: value if isinstance(value, str) else "hop",
)
def test_a_planted_hop_without_proto_subject_or_owner_is_found(planted: Hop, said: str) -> None:
    flow = [planted, *FLOW[1:]]
    assert any(said in line for line in breaches(flow)), list(breaches(flow))


def test_a_planted_second_hop_of_a_noun_is_found() -> None:
    assert "bars stands twice in the table" in list(breaches([*FLOW, BARS]))


def test_subjects_are_built_and_nouns_found_through_the_table_alone() -> None:
    assert (
        subject("bars", run="replay.1", universe="crypto", timeframe="4H")
        == "bars.replay.1.crypto.4H"
    )
    with pytest.raises(KeyError, match="'ticks' is not a noun of the flow"):
        hop("ticks")
    with pytest.raises(KeyError):
        subject("bars", run="replay.1", universe="crypto")
