"""topology: which streams and buckets the flow needs; pure.

Everything follows from the table of hops. A portfolio adds lanes to the streams and changes nothing
else on the server.
"""

from dataclasses import dataclass

from stratvector.runtime.documents import DOCUMENTS
from stratvector.runtime.holds import HOLDS
from stratvector.runtime.members import SILENT_SECONDS_MAX
from stratvector.runtime.snapshots import SNAPSHOTS
from stratvector.trading.flow import FLOW, stored_subject

OWNERS = "owners"
MEMBERS = "members"
QUARANTINE = "quarantine"
# About thirty thousand notes: a lane has one, so that only a thief's can be so many.
QUARANTINE_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True)
class Stream:
    """A log. newest_only : keeps one message per subject, as a key-value bucket does.

    bytes_max : its size, at which the oldest messages go; None never drops any. heard : where
    everything that is stored is published again, for readers; None where nobody listens.
    is_spare : what it holds can be had from the others, or is said again, so it may be made again
    when it is lost. seconds_max : how long anything is kept; None is for ever.
    """

    name: str
    subjects: str
    newest_only: bool = False
    bytes_max: int | None = None
    heard: str | None = None
    is_spare: bool = False
    seconds_max: int | None = None


def streams() -> tuple[Stream, ...]:
    """One log per hop, in the order of the flow."""
    return tuple(
        Stream(one.stream, f"{one.noun}.>", heard=stored_subject(f"{one.noun}.>")) for one in FLOW
    )


def buckets() -> tuple[Stream, ...]:
    """The key-value buckets: who owns a lane, what could not be processed, what is wanted of each
    portfolio, whose orders nobody may send, where those that only watch go on, and which instances
    of a service there are.

    A log of before there were holds gets the bucket with nothing in it: nothing was held.
    """
    return (
        _bucket(OWNERS),
        _bucket(QUARANTINE, bytes_max=QUARANTINE_BYTES_MAX),
        _bucket(DOCUMENTS),
        _bucket(HOLDS, is_spare=True),
        _bucket(SNAPSHOTS, is_spare=True),
        _bucket(MEMBERS, is_spare=True, seconds_max=SILENT_SECONDS_MAX),
    )


def _bucket(
    name: str,
    bytes_max: int | None = None,
    is_spare: bool = False,
    seconds_max: int | None = None,
) -> Stream:
    subjects = f"$KV.{name}.>"
    return Stream(f"KV_{name}", subjects, True, bytes_max, None, is_spare, seconds_max)
