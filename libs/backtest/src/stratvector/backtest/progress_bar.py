"""A progress bar with the time that is left, where somebody sits at a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stratvector.trading.replay import Progress


@contextmanager
def shown(progress: Progress | None) -> Iterator[Progress | None]:
    """Whom to tell how far it is: the given one, else a bar on a terminal, else nobody."""
    if progress is not None or not sys.stderr.isatty():
        yield progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sweep", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
