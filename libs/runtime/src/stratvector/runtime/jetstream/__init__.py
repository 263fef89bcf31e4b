"""jetstream: the ports on a real nats-server.

Where to go next: `topology.py` (which streams and buckets there are, from the flow),
`accounts.py` (who may do what), `server_config.py` and `server.py` (the nats-server process),
`keys.py` (the users' seeds), `provisioner.py` (makes streams and buckets), `stream_copies.py`
(copies streams out and puts them back), `connection.py` (a client that comes back); `bus.py`,
`arrivals.py`, `key_value.py` and `clock.py` fill the ports.
"""
