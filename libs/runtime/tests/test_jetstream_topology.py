"""The topology that follows from the flow is the one that the real services ask for."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import pytest

from stratvector.runtime.deployment import Build, Deployment, installed_services
from stratvector.runtime.host import Tasks
from stratvector.runtime.jetstream.topology import (
    QUARANTINE_BYTES_MAX,
    Durable,
    Stream,
    buckets,
    durables,
    lanes,
    streams,
)
from stratvector.runtime.ports import Bus, Consumer, Message, Ports, Published, Stored
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.trading.flow import FLOW, SERVICES, hop, stream_of
from stratvector.trading.portfolio import Portfolio
from tests.sessions.generated_sessions import Shape, generated_session

Asked = dict[str, set[Durable]]
SHAPES = [Shape(closes=30), Shape(universes=1, closes=30), Shape(universes=3, closes=30)]


@dataclass(frozen=True)
class Noting:
    """A bus that notes which durables and subjects a service asks for."""

    bus: Bus
    service: str
    asked: Asked
    published: set[str]

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        self.published.add(message.subject)
        return await self.bus.publish(message, expected_sequence)

    async def last(self, subject: str) -> Stored | None:
        return await self.bus.last(subject)

    async def read(self, subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        return await self.bus.read(subject, after, limit)

    def consumer(self, durable: str, subject: str) -> Consumer:
        self.asked[self.service].add(Durable(stream_of(subject), durable, subject, self.service))
        return self.bus.consumer(durable, subject)


def noted(
    service: str,
    build: Build,
    deployment: Deployment,
    asked: Asked,
    published: set[str],
    ports: Ports,
) -> Tasks:
    return build(deployment, replace(ports, bus=Noting(ports.bus, service, asked, published)))


def asked_in_a_session(shape: Shape) -> tuple[Portfolio, set[Durable], set[str]]:
    """The portfolio, the durables and the published subjects of one run of all services."""
    session = generated_session(1, shape)
    world, asked, published = World(), defaultdict[str, set[Durable]](set), set[str]()
    deployment = Deployment(session, MemoryLedgerStore())
    for name, build in installed_services().items():
        world.add(name, partial(noted, name, build, deployment, asked, published))
    world.run(until=SERVICES)
    return session.portfolio, set().union(*asked.values()), published


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.universes} universes")
def test_the_durables_are_exactly_those_that_the_services_ask_the_bus_for(shape: Shape) -> None:
    portfolio, asked, published = asked_in_a_session(shape)
    made = durables(portfolio)
    assert set(made) == asked
    assert len(made) == len(asked)
    assert published <= {lane for one in FLOW for lane in lanes(one, portfolio)}


@pytest.fixture
def portfolio() -> Portfolio:
    return generated_session(1, Shape(universes=2, closes=5)).portfolio


def test_every_hop_has_one_stream_of_its_noun() -> None:
    assert streams() == tuple(Stream(one.stream, f"{one.noun}.>") for one in FLOW)
    assert not any(stream.newest_only for stream in streams())


def test_the_buckets_hold_owners_and_what_could_not_be_processed() -> None:
    assert buckets() == (
        Stream("KV_owners", "$KV.owners.>", newest_only=True),
        Stream(
            "KV_quarantine",
            "$KV.quarantine.>",
            newest_only=True,
            bytes_max=QUARANTINE_BYTES_MAX,
        ),
    )


def test_a_durable_belongs_to_a_consumer_of_its_noun(portfolio: Portfolio) -> None:
    for durable in durables(portfolio):
        one = hop(durable.subject.split(".", 1)[0])
        assert durable.stream == one.stream
        assert durable.service in one.consumers
        assert durable.subject in lanes(one, portfolio)


def test_no_two_durables_of_a_stream_share_a_name(portfolio: Portfolio) -> None:
    names = [(durable.stream, durable.name) for durable in durables(portfolio)]
    assert len(names) == len(set(names))
    assert not any("." in name for _, name in names)


def test_portfolios_on_one_bus_share_no_durable(portfolio: Portfolio) -> None:
    other = replace(portfolio, name="other")
    assert not {(d.stream, d.name) for d in durables(portfolio)} & {
        (d.stream, d.name) for d in durables(other)
    }


def test_lanes_are_named_by_the_pattern_of_their_hop(portfolio: Portfolio) -> None:
    crypto = portfolio.universes[0]
    assert lanes(hop("bars"), portfolio)[0] == f"bars.{crypto.name}.{crypto.timeframe}"
    assert lanes(hop("signals"), portfolio) == tuple(
        f"signals.{portfolio.name}.{model}" for model in portfolio.model_names
    )
    assert lanes(hop("orders"), portfolio) == (f"orders.{portfolio.name}.{portfolio.account}",)
    assert lanes(hop("positions"), portfolio) == (f"positions.{portfolio.name}",)
