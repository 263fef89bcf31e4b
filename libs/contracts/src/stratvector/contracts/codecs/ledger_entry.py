"""The canonical text of a ledger entry: JSON, the same bytes for the same content on every run.

The ledger keeps it and hashes it. It is no message: cash and equity have more digits than the
wire's Decimal, and what was recorded stays readable when a decoder of messages learns a new rule.
How values are spelled: `typed_json`.
"""

from stratvector.contracts.bad_message import BadMessage
from stratvector.contracts.codecs.typed_json import BadText, decode_typed, encode_typed
from stratvector.trading.ledger import LedgerEntry

NOUN = "ledger entry"


def encode_ledger_entry(entry: LedgerEntry) -> bytes:
    """The canonical text of an entry."""
    return encode_typed(entry)


def decode_ledger_entry(payload: bytes) -> LedgerEntry:
    """The entry in a canonical text, to the last bit and digit. Raises BadMessage."""
    try:
        return decode_typed(LedgerEntry, payload)
    except BadText as error:
        raise BadMessage(NOUN, f"{len(payload)} bytes are no ledger entry: {error}") from error
