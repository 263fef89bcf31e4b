"""backup: a platform into a folder while it trades, and an empty platform out of that folder.

Where to go next: `manifest.py` (what is in a backup's folder, and whether it is all there),
`making.py` and `restoring.py` (the two runs, top-down), `target.py` (whether a platform is empty),
`ledger_file.py` and `ledger_server.py` (the ledger's database on SQLite and PostgreSQL),
`ledger_proof.py` (its hashes), `folders.py` (configuration, models, bars, results, keys),
`commands.py` (the options).
"""
