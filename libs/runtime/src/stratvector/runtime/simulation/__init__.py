"""simulation: all services in one Python process, on virtual time, with seeded faults or none.

The services are the real ones; only what they await is simulated. `stratvector up --in-process`
runs them here too. Where to go next: `world.py` (start here), `effect.py` (what a process waits
for), `scheduler.py` (how an effect travels), `faults.py` and `fate.py` (what goes wrong), `bus.py`,
`consumer.py`, `key_value.py`, `broker_double.py`, `store.py`.
"""
