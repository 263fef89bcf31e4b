"""The nouns, the flow and the engine of StratVector. Pure: no I/O, no protobuf, no wall clock.

Where to go next: `flow.py` (who produces and consumes what), `bars.py`, `signals.py`, `orders.py`,
`fills.py` and `ledger.py` (the messages of the flow), `portfolio.py` (what a user configures), `engine/`
(the arithmetic), `account.py` (the engine's decision half on a real account), `replay.py`
(the backtest).
"""
