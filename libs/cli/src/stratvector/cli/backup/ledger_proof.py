"""ledger_proof: whether every close of a ledger's record is as it was committed.

The same hashes as `ledger verify` checks, of the record itself: its payloads and their chain. What
questions are answered from is derived of them, and checked by the ledger.
"""

import zlib
from collections.abc import Iterable

from stratvector.cli.backup.manifest import BadBackup
from stratvector.trading.identity import chained_hash, payload_hash
from stratvector.trading.timestamps import utc_text

Payload = tuple[str, str, int, bytes, str, str]


def proven_closes(rows: Iterable[Payload]) -> int:
    """How many closes there are, all of them proven; each record's in the order of its closes.

    Raises BadBackup at the first that is not.
    """
    count, whose, chain = 0, ("", ""), ""
    for portfolio, run, close_time, payload, own_hash, chain_hash in rows:
        if (portfolio, run) != whose:
            whose, chain = (portfolio, run), ""
        if payload_hash(payload) != own_hash:
            _refuse(portfolio, run, close_time, "its payload is not the one that was committed")
        try:
            text = zlib.decompress(payload)
        except zlib.error:
            _refuse(portfolio, run, close_time, "its payload does not inflate")
        chain = chained_hash(chain, portfolio, close_time, text)
        if chain != chain_hash:
            _refuse(portfolio, run, close_time, "the chain of hashes is broken there")
        count += 1
    return count


def _refuse(portfolio: str, run: str, close_time: int, why: str) -> None:
    raise BadBackup(f"the ledger's record of {portfolio} in {run} at {utc_text(close_time)}: {why}")
