"""settings: what the ledger process is told."""

from pydantic import SecretStr

from stratvector.runtime.process.settings import ServiceSettings


class LedgerSettings(ServiceSettings):
    """Keeps the permanent record of the flow in its database and answers questions about it."""

    database_url: SecretStr
    """the ledger's database, such as sqlite:////data/ledger.db; it may hold a password and is never
    shown"""

    def database(self) -> str:
        """The address to connect to, password included: not for logs."""
        return self.database_url.get_secret_value()
