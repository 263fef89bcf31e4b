"""Caveats: what makes a result doubtful, as a code, a sentence and where it holds.

A caveat never stops a run. It travels with the session's data or is found in the run itself, and
stands on the result, in the summary, in the JSON documents and on the console.
"""

from dataclasses import dataclass
from typing import Any

from stratvector.trading.timestamps import utc_text


@dataclass(frozen=True)
class Caveat:
    """One doubt about a result.

    code : the kind, snake_case and stable, such as "total_return_prices" or "split_like_jump".
    sentence : what a person reads; it names the values.
    subject : the symbol, model or universe that it is about, None for the whole result.
    first, last : the closes (ns UTC) between which it holds, None where it holds throughout.
    count : how many bars, closes or days it is about, None where nothing is counted.
    """

    code: str
    sentence: str
    subject: str | None = None
    first: int | None = None
    last: int | None = None
    count: int | None = None

    def document(self) -> dict[str, Any]:
        """The same as JSON; times as ISO 8601."""
        return {
            "code": self.code,
            "sentence": self.sentence,
            "subject": self.subject,
            "first": None if self.first is None else utc_text(self.first),
            "last": None if self.last is None else utc_text(self.last),
            "count": self.count,
        }

    def __str__(self) -> str:
        return self.sentence
