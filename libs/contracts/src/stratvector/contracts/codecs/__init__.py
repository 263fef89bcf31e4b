"""The only translation between the domain's nouns and bytes: protobuf on the wire, canonical JSON
for what the ledger keeps. Fields are translated by name, see `derived`.

`encode_…` gives the same bytes for the same content on every run, so they can be hashed;
`decode_…` gives the noun back to the bit. Both raise `BadMessage`, and nothing else, on content
that breaks the contract.
"""

from stratvector.contracts.bad_message import BadMessage
from stratvector.contracts.codecs.ledger_entry import decode_ledger_entry, encode_ledger_entry
from stratvector.contracts.codecs.nouns import (
    Owner,
    decode_chapter,
    decode_closed_bars,
    decode_fills_report,
    decode_opened,
    decode_owner,
    decode_positions,
    decode_signals,
    encode_chapter,
    encode_closed_bars,
    encode_fills_report,
    encode_opened,
    encode_owner,
    encode_positions,
    encode_signals,
)
from stratvector.contracts.codecs.orders import (
    Decided,
    decode_decided,
    decode_decision,
    encode_decision,
)

__all__ = [
    "BadMessage",
    "Decided",
    "Owner",
    "decode_chapter",
    "decode_closed_bars",
    "decode_decided",
    "decode_decision",
    "decode_fills_report",
    "decode_ledger_entry",
    "decode_opened",
    "decode_owner",
    "decode_positions",
    "decode_signals",
    "encode_chapter",
    "encode_closed_bars",
    "encode_decision",
    "encode_fills_report",
    "encode_ledger_entry",
    "encode_opened",
    "encode_owner",
    "encode_positions",
    "encode_signals",
]
