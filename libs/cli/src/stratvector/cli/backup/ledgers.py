"""ledgers: the ledger's database, whichever kind it is."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from stratvector.cli.backup import ledger_file, ledger_server
from stratvector.cli.backup.ledger_proof import Payload
from stratvector.cli.backup.manifest import LedgerCopy
from stratvector.cli.failures import CommandFailed

SQLITE = "sqlite:///"
SERVER = ("postgresql://", "postgres://", "postgresql+psycopg://")


class Ledger:
    """One database. url : as the ledger's setting `database_url`. Raises CommandFailed."""

    def __init__(self, url: str, password_file: Path | None) -> None:
        self._url, self._password_file = url, password_file
        if url.startswith(SQLITE) and len(url) > len(SQLITE):
            self.kind, self._file = ledger_file.KIND, Path(unquote(url.removeprefix(SQLITE)))
        elif url.startswith(SERVER):
            self.kind = ledger_server.KIND
            self._url = f"postgresql://{url.partition('://')[2]}"
            if ":" in url.partition("://")[2].rpartition("@")[0]:
                raise CommandFailed(
                    "--database must hold no password; --database-password-file is the file of it"
                )
        else:
            raise CommandFailed(
                f"--database {url}: it is neither sqlite:////path/ledger.db nor "
                "postgresql://USER@HOST:5432/NAME"
            )

    def copy(self, backup: Path) -> LedgerCopy:
        """One state of it into a backup. Raises CommandFailed."""
        if self.kind == ledger_file.KIND:
            return ledger_file.copy_file(self._file, backup)
        return ledger_server.copy_database(self._url, self._password_file, backup)

    def is_there_already(self, backup: Path, ledger: LedgerCopy) -> bool:
        """Whether it is the backup's; False where it is empty. Raises CommandFailed."""
        if self.kind != ledger.kind:
            raise CommandFailed(
                f"the backup holds a ledger's database of {ledger.kind}, and --database names one "
                f"of {self.kind}: name one of the same kind"
            )
        if self.kind == ledger_file.KIND:
            return ledger_file.is_there_already(backup, self._file)
        return ledger_server.is_there_already(self._url, self._password_file, backup, ledger)

    def put_back(self, backup: Path, ledger: LedgerCopy) -> None:
        """Whole or not at all. Raises CommandFailed, OSError."""
        if self.kind == ledger_file.KIND:
            ledger_file.put_file_back(backup, self._file)
        else:
            ledger_server.put_database_back(self._url, self._password_file, backup, ledger)

    def payloads(self) -> Iterator[Payload]:
        """Every close of every record, each record's in its order. Raises CommandFailed."""
        if self.kind == ledger_file.KIND:
            return ledger_file.payloads(self._file)
        return ledger_server.payloads(self._url, self._password_file)
