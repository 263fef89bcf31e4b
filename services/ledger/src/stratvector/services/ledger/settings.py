"""settings: what the ledger process is told."""

from pathlib import Path

from pydantic import SecretStr, field_validator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from stratvector.runtime.process.settings import ServiceSettings


class LedgerSettings(ServiceSettings):
    """Keeps the permanent record of the flow in its database and answers questions about it."""

    database_url: SecretStr
    """the ledger's database: sqlite:////data/ledger.db, or postgresql://USER@HOST:5432/NAME with
    further options as libpq names them, such as ?sslmode=verify-full&sslrootcert=FILE"""
    database_password_file: Path | None = None
    """file with the password of PostgreSQL, read at each new connection; none where the server
    asks for none"""

    @field_validator("database_url")
    @classmethod
    def _without_password(cls, url: SecretStr) -> SecretStr:
        """The environment of a process can be read by others than the process."""
        try:
            password = make_url(url.get_secret_value()).password
        except ArgumentError:
            return url  # told by who opens it
        if password is not None:
            raise ValueError("it must hold no password; database_password_file is the file of it")
        return url

    def database(self) -> str:
        """The address to connect to."""
        return self.database_url.get_secret_value()
