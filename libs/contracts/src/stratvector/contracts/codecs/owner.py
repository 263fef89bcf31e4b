"""owner: the mark of a lane's new owner."""

from stratvector.contracts.codecs.payload import decoded, encoded, refuse_nameless
from stratvector.contracts.owner import Owner
from stratvector.contracts.v1 import owner_pb2


def encode_owner(owner: Owner) -> bytes:
    """The payload of an owner's mark. Raises BadMessage."""
    return encoded("owner", _to_wire, owner)


def decode_owner(payload: bytes) -> Owner:
    """The owner in a payload. Raises BadMessage."""
    return decoded("owner", owner_pb2.Owner, _from_wire, payload)


def _to_wire(owner: Owner) -> owner_pb2.Owner:
    refuse_nameless(instance=owner.instance)
    wire = owner_pb2.Owner()
    wire.instance = owner.instance
    wire.epoch = owner.epoch
    return wire


def _from_wire(wire: owner_pb2.Owner) -> Owner:
    refuse_nameless(instance=wire.instance)
    return Owner(instance=wire.instance, epoch=wire.epoch)
