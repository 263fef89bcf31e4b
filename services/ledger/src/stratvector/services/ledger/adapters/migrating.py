"""The schema's migrations: Alembic, configured here, its scripts beside it.

A revision is a number, as in `0006`; no earlier version works on it. One on which earlier versions
work says since which, as in `0007_from_0006`: it kept what they use, and what it added they can
leave empty (expand). What only they use is removed a release later (contract), by a revision on
which the version just before works: `0008_from_0007`. The name is all that an earlier version can
know of a later schema, and it is in the database.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST_REVISION = "0006"
BEFORE_PAYLOADS = frozenset({"0001", "0002"})
# Payloads are there: under the number of their portfolio, and under its name without a run.
BEFORE_DERIVING, BEFORE_RUNS = "0003", "0004"
EARLIER = frozenset({BEFORE_DERIVING, BEFORE_RUNS})
OF_LATER = re.compile(r"(\d{4})_from_(\d{4})")
VERSION_TABLE = "ledger_revision"
SCRIPTS = Path(__file__).parent / "migrations"


def configuration() -> "Config":
    """Alembic's configuration."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def works_on(revision: str) -> bool:
    """Whether this version works on a schema of this revision, which it need not know."""
    if revision == NEWEST_REVISION:
        return True
    later, newest = OF_LATER.fullmatch(revision), NEWEST_REVISION[:4]
    return later is not None and later[2] <= newest < later[1]


def known_revisions() -> set[str]:
    """The revisions that there are scripts of."""
    from alembic.script import ScriptDirectory

    return {
        script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()
    }


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest revision, within the connection's transaction."""
    from alembic import command

    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
