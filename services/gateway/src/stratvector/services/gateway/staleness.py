"""staleness: which figures are older than the account that they stand beside, and why."""

from stratvector.services.gateway.clients.drift import Score
from stratvector.services.gateway.clients.risk import ValueAtRisk
from stratvector.services.gateway.live import LiveSession
from stratvector.services.gateway.words import minute
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY

NANOSECONDS_PER_HOUR = NANOSECONDS_PER_DAY // 24


def flat_since(live: LiveSession) -> int | None:
    """The close (ns UTC) whose fills left no position; None with one, or before any fill."""
    held = live.positions
    return held.close_time if held is not None and not held.positions else None


def stale_value_at_risk(live: LiveSession, known: ValueAtRisk) -> str:
    """Why a value at risk is not of the account as it stands; empty when it is."""
    flat = flat_since(live)
    if flat is not None and flat > known.as_of:
        return f"from before the account was flat ({minute(flat)} UTC)"
    return behind(live, known.as_of)


def stale_score(live: LiveSession, score: Score) -> str:
    """Why a drift score is old; empty when it is not."""
    return behind(live, score.close_time)


def behind(live: LiveSession, close_time: int) -> str:
    """How far a figure is behind the newest decision; empty up to a day of event time."""
    age = 0 if live.decision is None else live.decision.close_time - close_time
    if age <= NANOSECONDS_PER_DAY:
        return ""
    days, rest = divmod(age, NANOSECONDS_PER_DAY)
    return f"{days:,} d {rest // NANOSECONDS_PER_HOUR} h behind the newest close"
