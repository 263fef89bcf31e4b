"""A session of two symbols and the orders that tests of execution feed it by hand.

A closes every hour, B every two: its orders are still working at the hour between.
"""

from tests.sessions.hand_fed import order
from tests.sessions.scripted_sessions import Script, scripted_session

SESSION = scripted_session(
    Script({"A": [10.0] * 4, "B": [20.0] * 4}, {"model": {"A": [0.0] * 4}}, slow=("B",))
)
CLOSES = SESSION.schedule.close_times.tolist()
A, B = order(SESSION, "A", 5, index=0), order(SESSION, "B", -3, index=0)
AB = {0: [A, B]}
LAST = order(SESSION, "A", 5, index=3)
