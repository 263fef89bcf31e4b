"""migrate: bring the ledger's tables to the newest revision, as a job of a cluster does.

    python -m stratvector.services.ledger.migrate

The database is told as the service's is, by STRATVECTOR_LEDGER_DATABASE_URL. The service does the
same at its start; whoever comes first does it once. Ends with 0 done, 1 a sentence.
"""

import os
import sys
from contextlib import closing

from stratvector.services.ledger.adapters.database import BadDatabase, LedgerDatabase
from stratvector.services.ledger.adapters.migrating import NEWEST_REVISION

VARIABLE = "STRATVECTOR_LEDGER_DATABASE_URL"
FAILED = 1


def main() -> int:
    """The program; its exit code."""
    url = os.environ.get(VARIABLE, "")
    if not url:
        sys.stderr.write(f"migrate: {VARIABLE} is not set; it names the ledger's database\n")
        return FAILED
    try:
        with closing(LedgerDatabase(url)) as database:
            database.prepare()
    except BadDatabase as error:
        sys.stderr.write(f"migrate: {error}\n")
        return FAILED
    sys.stdout.write(f"the ledger's tables are at revision {NEWEST_REVISION}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
