"""The `stratvector` command.

Where to go next: `main.py` (the commands), `config/` (what a user writes, and how it is refused),
`in_process.py` (the five services in one process), `tables.py` (what is printed).
"""
