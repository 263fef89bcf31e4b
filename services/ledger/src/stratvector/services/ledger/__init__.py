"""ledger: the permanent record of the flow; the only one that writes the database."""
