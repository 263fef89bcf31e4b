"""`python -m stratvector.services.ledger.migrate`: brings the ledger's database to the schema of
this version and ends, with the settings of the ledger: a file by `--settings`, or the environment.

    --wait SECONDS   how long a server that does not answer is waited for; 60 where nothing is said

The ledger does the same when it starts; who wants it done before, as a Job of a cluster does, runs
this first. Any number of them may run at once: they wait for each other. Exit codes: 0 done, 2
wrong settings, 75 no server came, 78 a person must put something right.
"""

import os
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

from stratvector.runtime.process.file_modes import keep_files_private
from stratvector.runtime.process.settings import load_settings
from stratvector.runtime.process.settings_file import BadSettings
from stratvector.services.ledger.adapters.database import Away, BadDatabase, LedgerDatabase
from stratvector.services.ledger.settings import LedgerSettings

WRONG_SETTINGS, NOBODY_CAME, REFUSED = 2, os.EX_TEMPFAIL, os.EX_CONFIG
AGAIN_SECONDS = 0.5


def migrate(settings: LedgerSettings, seconds: float) -> tuple[str, str]:
    """Bring the database to the newest schema; its address, and the revision that it has then.
    Raises BadDatabase, Away after some seconds without a server.
    """
    database = LedgerDatabase(settings.database(), password_file=settings.database_password_file)
    patience_ends_at = time.monotonic() + seconds
    try:
        while True:
            try:
                return database.shown, database.prepare()
            except Away:
                if time.monotonic() > patience_ends_at:
                    raise
                time.sleep(AGAIN_SECONDS)
    finally:
        database.dispose()


def main() -> int:
    """The exit code."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path)
    parser.add_argument("--wait", type=float, default=60.0)
    told = parser.parse_args()
    keep_files_private()
    try:
        shown, revision = migrate(load_settings("ledger", LedgerSettings, told.settings), told.wait)
    except (BadSettings, BadDatabase) as error:
        sys.stderr.write(f"{error}\n")
        if isinstance(error, BadSettings):
            return WRONG_SETTINGS
        return NOBODY_CAME if isinstance(error, Away) else REFUSED
    sys.stdout.write(f"ledger database {shown} has schema revision {revision}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
