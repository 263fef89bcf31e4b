"""orders: `Decision`, the approved orders of one close and everything that explains them."""

from operator import attrgetter
from typing import NamedTuple

from stratvector.contracts.codecs.derived import derived
from stratvector.contracts.codecs.enumerations import both_ways
from stratvector.contracts.codecs.payload import Payload
from stratvector.contracts.v1 import orders_pb2
from stratvector.trading.meaning.orders import check_decision
from stratvector.trading.orders import Decision, ValueAtRisk
from stratvector.trading.reasons import Outcome

OUTCOME_TO_WIRE, OUTCOME_FROM_WIRE = both_ways(Outcome, orders_pb2.Outcome)
_ORDERS = Payload("orders", derived(Decision, orders_pb2.Decision), ("portfolio",), check_decision)
_FIGURE = derived(ValueAtRisk, orders_pb2.ValueAtRisk)


def encode_decision(decision: Decision) -> bytes:
    """The payload of one decision. Raises BadMessage."""
    return _ORDERS.encode(decision)


def decode_decision(payload: bytes) -> Decision:
    """The decision in a payload. Raises BadMessage."""
    return _ORDERS.decode(payload)


class Decided(NamedTuple):
    """How far decisions are. close_time : of one, ns UTC. ended : none follows it."""

    close_time: int
    ended: bool


def decode_decided(payload: bytes) -> Decided:
    """How far a decision is, for who only counts them. Raises BadMessage."""
    return Decided(*_ORDERS.read(payload, attrgetter("close_time_ns", "ended")))


def write_value_at_risk(wire: orders_pb2.ValueAtRisk, figure: ValueAtRisk) -> None:
    """Into a message that holds a figure."""
    wire.SetInParent()
    wire.MergeFrom(_FIGURE.to_wire(figure))
