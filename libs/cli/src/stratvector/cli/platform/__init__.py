"""The local platform: a bus and the five services as processes of this machine, supervised.

Where to go next: `local.py` (what is started, in which order, and how it ends), `child.py` (one
supervised process), `restarts.py` (when it is started again), `ports.py` (what listens where).
"""
