"""runs: under which name a portfolio lives in the log, so that no two lives of it ever meet.

A run is two tokens, `<mode>.<id>`: `live.1`, `paper.2`, `replay.4f27e6dc`. Each subject, order id
and record carries it. Live, paper and shadow portfolios read one feed, the bars of `live.1`; a
replay has bars of its own.
"""

import re

MODES = ("live", "paper", "shadow", "replay")
REPLAY, PAPER, LIVE_FEED = "replay", "paper", "live.1"
FIRST_REPLAY = "replay.1"
ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


def check_run(run: str) -> None:
    """Refuse what is no run. Raises ValueError."""
    mode, _, name = run.partition(".")
    if mode not in MODES:
        raise ValueError(f"run is {run!r}; it must begin with {', '.join(MODES[:-1])} or replay")
    if not ID.fullmatch(name):
        raise ValueError(
            f"run is {run!r}; after {mode}. come 1 to 32 letters, digits, hyphens and underscores"
        )


def has_deadlines(run: str) -> bool:
    """Whether something may come too late in a run: a replay waits for everything."""
    return not run.startswith(f"{REPLAY}.")


def bars_run(run: str) -> str:
    """The run whose bars a run reads."""
    return LIVE_FEED if has_deadlines(run) else run
