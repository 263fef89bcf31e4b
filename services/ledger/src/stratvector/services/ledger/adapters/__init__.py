"""Where the ledger talks to its database."""
