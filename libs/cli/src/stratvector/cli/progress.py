"""The progress of a session: closes done, the market's date, closes per second."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from stratvector.cli.console import aside
from stratvector.cli.progress_lines import utc_date

REFRESH_SECONDS = 0.1


class RateColumn(ProgressColumn):
    """Closes per second since the start."""

    def render(self, task: Task) -> Text:
        """Nothing until there is a rate."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} closes/s" if speed else "", style="cyan")


class SessionProgress:
    """Told how many closes are done, shows it a few times a second."""

    def __init__(
        self, progress: Progress, total: int | None, title: str, close_times: Sequence[int]
    ) -> None:
        self._progress, self._close_times = progress, close_times
        self._task = progress.add_task(title, total=total, date="")
        self._shown_at = 0.0

    def __call__(self, done: int, closes: int, close_time: int | None = None) -> None:
        """So many closes of all are done. close_time : of the newest, where no list tells it."""
        now = time.monotonic()
        if done == closes or now - self._shown_at >= REFRESH_SECONDS:
            self._shown_at = now
            date = utc_date(int(self._close_times[done - 1]) if close_time is None else close_time)
            self._progress.update(self._task, completed=done, date=date)

    def wait_for(self, what: str) -> None:
        """Say why no close is done yet, in the place of the market's date."""
        if not self._shown_at:
            self._progress.update(self._task, date=what)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, soft_wrap=True)


@contextmanager
def session_progress(
    total: int | None, title: str, close_times: Sequence[int] = ()
) -> Iterator[SessionProgress]:
    """A progress bar on standard error for the time of a block.

    total : closes of the whole, None where nobody knows. close_times : ns UTC, for whoever tells
    only how many are done.
    """
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[date]}", style="green"),
        RateColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=aside(), speed_estimate_period=5.0) as progress:
        yield SessionProgress(progress, total, title, close_times)
