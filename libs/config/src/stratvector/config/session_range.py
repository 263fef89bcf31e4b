"""The first and the last instant of a session, from the command line or from system.yaml."""

from collections.abc import Callable
from dataclasses import dataclass

from stratvector.config.bad_config import BadValue
from stratvector.config.configuration import Configuration

COMMAND_LINE = "command line"


def session_range(
    configuration: Configuration, start: str | None, end: str | None
) -> tuple[int, int]:
    """First and last instant, UTC ns; an end that is a date includes that day.

    start, end : from the command line, None for the configured ones. Raises BadValue.
    """
    from stratvector.market.instants import first_instant, last_instant

    first = _given(configuration, "start", start)
    last = _given(configuration, "end", end)
    begin, finish = first.instant(first_instant), last.instant(last_instant)
    if not begin <= finish:
        raise last.refusal(f"it must not be before the start, {first.text}")
    return begin, finish


@dataclass(frozen=True)
class _Given:
    """A text and where it stands."""

    place: str
    key: str
    text: str | None

    def refusal(self, rule: str) -> BadValue:
        return BadValue(self.place, self.key, self.text, rule)

    def instant(self, parse: Callable[[str], int]) -> int:
        from stratvector.market.instants import UnknownInstant

        if self.text is None:
            raise self.refusal(f"give it there, or --{self.key.rpartition('.')[2]} D")
        try:
            return parse(self.text)
        except UnknownInstant as error:
            raise self.refusal(str(error).rpartition(": ")[2]) from error


def _given(configuration: Configuration, name: str, option: str | None) -> _Given:
    if option is not None:
        return _Given(COMMAND_LINE, f"--{name}", option)
    session = configuration.system.session
    text = None if session is None else getattr(session, name)
    return _Given(str(configuration.path), f"session.{name}", text)
