"""Why a PostgreSQL server refused a connection, in any language: its SQLSTATE.

libpq tells its client only the server's sentence, which the server writes in the language of its
`lc_messages`. What it receives it can trace, though, so the same is tried once more and traced.
"""

import os
import re
import select
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from psycopg import OperationalError, pq
from psycopg.conninfo import make_conninfo
from psycopg.errors import ConnectionTimeout

SECONDS_MAX = 5.0
TRACE_BYTES_MAX = 1 << 16
CODE = re.compile(rb'\tErrorResponse\t.*? C "([0-9A-Z]{5})"')
OPTIONS = frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())


def tell_code(error: OperationalError, options: Mapping[str, Any]) -> None:
    """Give a refused connection's error the SQLSTATE that the server sent, where it can be had.

    options : what was connected with, as libpq and the driver name it.
    """
    if error.sqlstate is not None or isinstance(error, ConnectionTimeout):
        return
    told = {key: value for key, value in options.items() if key in OPTIONS}
    with suppress(OperationalError, OSError):
        error.sqlstate = _code(make_conninfo(**told))


def _code(told: str) -> str | None:
    """Of a connection that is refused; None of another one, and of a libpq before 18."""
    if sys.platform != "linux":
        return None  # the driver traces nowhere else
    connection = pq.PGconn.connect_start(told.encode())
    # The trace holds what proves the password: it stays in memory.
    trace = os.memfd_create("trace")
    try:
        connection.trace(trace)
        _connect(connection)
        connection.untrace()
        found = CODE.findall(os.pread(trace, TRACE_BYTES_MAX, 0))
    finally:
        connection.finish()
        os.close(trace)
    return found[-1].decode() if found else None


def _connect(connection: pq.abc.PGconn) -> None:
    """To its end, whatever that is, or until patience ends."""
    patience_ends_at = time.monotonic() + SECONDS_MAX
    while (left_seconds := patience_ends_at - time.monotonic()) > 0:
        match connection.connect_poll():
            case pq.PollingStatus.READING:
                select.select([connection.socket], [], [], left_seconds)
            case pq.PollingStatus.WRITING:
                select.select([], [connection.socket], [], left_seconds)
            case _:
                return
