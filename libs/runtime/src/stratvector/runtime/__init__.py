"""What every service stands on: ports (bus, key-value, clock, broker, store), lanes and inboxes.

Services await port methods only, so the same code runs on the simulated bus (`simulation/`) and on
a real one. Where to go next: `ports.py`, `lane.py` (a single writer, fenced), `inbox.py` (each
message once, in order).
"""
