"""The schema's migrations: Alembic, configured here, its scripts beside it."""

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
VERSION_TABLE = "ledger_revision"
SCRIPTS = Path(__file__).parent / "migrations"


def configuration() -> "Config":
    """Alembic's configuration."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


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
