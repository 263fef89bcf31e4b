"""job_ids: names of jobs, such as 20260102-030405-678901234: the UTC time of submission to the ns.

Sorting the names sorts the times. No two are equal, since no two jobs have one time.
"""

import re
from datetime import UTC, datetime

NANOSECONDS_PER_SECOND = 1_000_000_000
_ID = re.compile(r"(\d{8}-\d{6})-(\d{9})")
_SECONDS = "%Y%m%d-%H%M%S"


def job_id_at(submitted_at_ns: int) -> str:
    """The id of the job that was submitted then, UTC ns since 1970."""
    seconds, nanoseconds = divmod(submitted_at_ns, NANOSECONDS_PER_SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):{_SECONDS}}-{nanoseconds:09d}"


def submitted_at_ns(job_id: str) -> int | None:
    """When the job of an id was submitted, UTC ns; None when it is no id."""
    found = _ID.fullmatch(job_id)
    if found is None:
        return None
    try:
        moment = datetime.strptime(found[1], _SECONDS).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * NANOSECONDS_PER_SECOND + int(found[2])
