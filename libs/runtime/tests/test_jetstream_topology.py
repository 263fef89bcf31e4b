"""The streams and buckets that follow from the table of hops."""

import pytest

from stratvector.runtime.jetstream.topology import (
    QUARANTINE_BYTES_MAX,
    Stream,
    buckets,
    streams,
)
from stratvector.runtime.members import SILENT_SECONDS_MAX
from stratvector.trading.flow import FLOW, hop
from stratvector.trading.portfolio import Portfolio
from tests.bus.lanes import lanes
from tests.sessions.generated_sessions import Shape, generated_session


@pytest.fixture
def portfolio() -> Portfolio:
    return generated_session(1, Shape(universes=2, closes=5)).portfolio


def test_every_hop_has_one_stream_of_its_noun() -> None:
    assert streams() == tuple(
        Stream(one.stream, f"{one.noun}.>", heard=f"stored.{one.noun}.>") for one in FLOW
    )
    assert not any(stream.newest_only for stream in streams())


def test_the_buckets_hold_owners_notes_wishes_holds_what_can_be_folded_again_and_members() -> None:
    assert buckets() == (
        Stream("KV_owners", "$KV.owners.>", newest_only=True),
        Stream(
            "KV_quarantine",
            "$KV.quarantine.>",
            newest_only=True,
            bytes_max=QUARANTINE_BYTES_MAX,
        ),
        Stream("KV_documents", "$KV.documents.>", newest_only=True),
        Stream("KV_holds", "$KV.holds.>", newest_only=True, is_spare=True),
        Stream("KV_snapshots", "$KV.snapshots.>", newest_only=True, is_spare=True),
        Stream(
            "KV_members",
            "$KV.members.>",
            newest_only=True,
            is_spare=True,
            seconds_max=SILENT_SECONDS_MAX,
        ),
    )


def test_lanes_are_named_by_the_pattern_of_their_hop(portfolio: Portfolio) -> None:
    crypto = portfolio.universes[0]
    assert lanes(hop("bars"), portfolio)[0] == f"bars.replay.1.{crypto.name}.{crypto.timeframe}"
    assert lanes(hop("signals"), portfolio) == tuple(
        f"signals.replay.1.{portfolio.name}.{model}" for model in portfolio.model_names
    )
    assert lanes(hop("orders"), portfolio) == (f"orders.replay.1.{portfolio.name}",)
    assert lanes(hop("positions"), portfolio) == (f"positions.replay.1.{portfolio.name}",)
