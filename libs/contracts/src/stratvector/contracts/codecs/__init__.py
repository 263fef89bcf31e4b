"""The only translation between the domain's nouns and bytes; one file per noun: protobuf on the
wire, canonical JSON for what the ledger keeps.

`encode_…` gives the same bytes for the same content on every run, so they can be hashed;
`decode_…` gives the noun back to the bit. Both raise `BadMessage`, and nothing else, on content
that breaks the contract.
"""

from stratvector.contracts.bad_message import BadMessage
from stratvector.contracts.codecs.bars import decode_closed_bars, encode_closed_bars
from stratvector.contracts.codecs.chapters import decode_chapter, encode_chapter
from stratvector.contracts.codecs.fills import decode_fills_report, encode_fills_report
from stratvector.contracts.codecs.ledger_entry import decode_ledger_entry, encode_ledger_entry
from stratvector.contracts.codecs.orders import (
    decode_decided_close,
    decode_decision,
    encode_decision,
)
from stratvector.contracts.codecs.owner import decode_owner, encode_owner
from stratvector.contracts.codecs.positions import decode_positions, encode_positions
from stratvector.contracts.codecs.signals import decode_signals, encode_signals
from stratvector.contracts.owner import Owner

__all__ = [
    "BadMessage",
    "Owner",
    "decode_chapter",
    "decode_closed_bars",
    "decode_decided_close",
    "decode_decision",
    "decode_fills_report",
    "decode_ledger_entry",
    "decode_owner",
    "decode_positions",
    "decode_signals",
    "encode_chapter",
    "encode_closed_bars",
    "encode_decision",
    "encode_fills_report",
    "encode_ledger_entry",
    "encode_owner",
    "encode_positions",
    "encode_signals",
]
