"""`python -m stratvector.services.ledger.recorded`: answers from a database that no ledger has
open, such as a finished session's, until its standard input ends.

    --document FILE   what was applied: the portfolio whose record it is
    --database URL    where the record is

It makes, migrates and changes nothing. The first line of its output is the address that it answers
at, or one sentence on the error output and exit code 78 say why there is none.
"""

import asyncio
import sys
from argparse import ArgumentParser
from pathlib import Path

import grpc.aio

from stratvector.runtime.documents import decode_wish
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.served import Served
from stratvector.runtime.session_document import BadSession
from stratvector.services.ledger.adapters.resting import RestingDatabase
from stratvector.services.ledger.portfolio_chapters import PortfolioChapters
from stratvector.services.ledger.servicer import ledger_servicer

REFUSED = 78


async def serve(document: Path, database: str) -> None:
    """Answer on a free port of this machine until standard input ends.

    Raises BadSession, BadDatabase.
    """
    portfolio = decode_wish(str(document), document.read_bytes()).session().portfolio
    opened = RestingDatabase(database)
    opened.refuse_unreadable()
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    served = Served[PortfolioChapters]("the ledger")
    served.add(portfolio, PortfolioChapters(portfolio))
    ledger_servicer(opened, served).register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"127.0.0.1:{port}\n")
    sys.stdout.flush()
    try:
        await asyncio.to_thread(sys.stdin.buffer.read)
    finally:
        await server.stop(None)
        opened.close()


def main() -> int:
    """The exit code."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--document", type=Path, required=True)
    parser.add_argument("--database", required=True)
    told = parser.parse_args()
    try:
        asyncio.run(serve(told.document, told.database))
    except (CannotStart, BadSession, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
