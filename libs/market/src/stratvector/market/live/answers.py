"""What a venue's answer means: its clock, its budget, and which kind of failure it is.

VenueError
├── NoTurn        not asked: the budget would not let it by the time that it was for
├── Throttled     the venue told to wait
├── Unreachable   no answer, or none that is one: asking again may help
└── Refused       an answer that asking again won't change
"""

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_THROTTLED = (418, 429)
_FINAL = (400, 401, 404, 405, 410, 422, 451)
_SHOWN_CHARACTERS_MAX = 160
_ADDRESS = re.compile(r"https?://\S+")  # longer than all the rest, and the same each time


class VenueError(Exception):
    """A question that got no candles."""


class NoTurn(VenueError):
    """The rate budget, or an embargo, would not let the request out in time."""


class Throttled(VenueError):
    """The venue told to wait. retry_after_seconds : None where it did not tell how long."""

    def __init__(self, sentence: str, retry_after_seconds: float | None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(sentence)


class Unreachable(VenueError):
    """A time-out, a lost connection, a 5xx, or an answer that is none."""


class Refused(VenueError):
    """The venue will answer the same again."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer's head. headers : by lower-case name."""

    status: int
    headers: Mapping[str, str]

    @property
    def time(self) -> int | None:
        """The venue's clock by its Date header, UTC ns, cut to the second; None where untold."""
        return _http_date(self.headers.get("date", ""))

    def retry_after_seconds(self, now: int) -> float | None:
        """Seconds that Retry-After tells, as a number or as a date; now : UTC ns, if no Date."""
        told = self.headers.get("retry-after", "").strip()
        if told.isdigit():
            return float(told)
        at = _http_date(told)
        return None if at is None else max(0.0, (at - (self.time or now)) / 1e9)


def _http_date(text: str) -> int | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1) * 1_000


# The heads of the answers to one question, in the context that asked: many are asked at once.
heard: ContextVar[list[Answer]] = ContextVar("heard")


def telling(kind: type[Any], no_answer: Callable[[str], Exception]) -> type[Any]:
    """A ccxt exchange class that also tells the head of each answer, and takes no garbage for one.

    no_answer : makes the error of a body that is no JSON though the status says that all is well;
    ccxt would hand such a body on as if it were data.
    """

    class Telling(kind):  # type: ignore[misc]  # made at run time: ccxt is loaded when needed
        def on_rest_response(
            self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *rest: Any
        ) -> Any:
            lower = {str(name).lower(): str(value) for name, value in headers.items()}
            heard.get([]).append(Answer(int(code), lower))
            return super().on_rest_response(code, reason, url, method, headers, body, *rest)

        def parse_json(self, body: str) -> Any:
            parsed = super().parse_json(body)
            if parsed is None and all(answer.status < 400 for answer in heard.get([])[-1:]):
                raise no_answer(f"the answer is no JSON: {body[:60]!r}")
            return parsed

    # ccxt derives what it describes from the class's name.
    Telling.__name__ = Telling.__qualname__ = kind.__name__
    return Telling


def failure(errors: Any, error: Exception, answers: list[Answer], now: int) -> VenueError:
    """The kind of a failure. errors : ccxt's module of exceptions; now : UTC ns."""
    told = _ADDRESS.sub("", f"{type(error).__name__}: {error}")
    sentence = " ".join(told.split())[:_SHOWN_CHARACTERS_MAX]
    last = answers[-1] if answers else None
    status = last.status if last else 0
    wait = last.retry_after_seconds(now) if last and status >= 400 else None
    throttled = isinstance(error, (errors.DDoSProtection, errors.RateLimitExceeded))
    if status in _THROTTLED or throttled or wait is not None:
        return Throttled(sentence, wait)
    final = isinstance(error, (errors.BadRequest, errors.NotSupported, errors.AuthenticationError))
    return Refused(sentence) if status in _FINAL or final else Unreachable(sentence)
