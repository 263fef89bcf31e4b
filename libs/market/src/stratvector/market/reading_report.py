"""What reading files of bars found: every kind of bad row, with its count and first examples.

A row is counted under the first kind that it shows, in the order of `KINDS`, so that the counts
add up to the bad rows.
"""

from dataclasses import dataclass
from pathlib import Path

from stratvector.trading.bad_bars import BadBars

RAGGED = "ragged"
BAD_TIME = "bad_time"
BAD_SYMBOL = "bad_symbol"
NOT_A_NUMBER = "not_a_number"
MISSING_VALUE = "missing_value"
BAD_PRICE = "bad_price"
BAD_VOLUME = "bad_volume"
BAD_RANGE = "bad_range"
OFF_SCHEDULE = "off_schedule"
DUPLICATE = "duplicate"

KINDS = {
    RAGGED: "more fields than the header",
    BAD_TIME: "a timestamp that is no time",
    BAD_SYMBOL: "a symbol that is no name",
    NOT_A_NUMBER: "a price or volume that is not a number",
    MISSING_VALUE: "some but not all of the five values",
    BAD_PRICE: "a price that is not finite and above 0",
    BAD_VOLUME: "a volume that is not finite and at least 0",
    BAD_RANGE: "a high or low that does not enclose the other prices",
    OFF_SCHEDULE: "a time at which no bar of the timeframe and calendar opens or closes",
    DUPLICATE: "a symbol and time that another row has",
}
DROPPABLE = tuple(kind for kind in KINDS if kind != DUPLICATE)
EXAMPLES_MAX = 3


@dataclass(frozen=True)
class BadRow:
    """One bad row. row : as a spreadsheet numbers it: a CSV's header is row 1, and a Parquet
    file's first row is row 1. told : its values and the rule, without a full stop.
    """

    path: Path
    row: int
    told: str

    def __str__(self) -> str:
        return f"{self.path.name} row {self.row}: {self.told}"


@dataclass(frozen=True)
class BadRows:
    """All bad rows of one kind. count : how many. examples : the first of them, at most three.
    removed : whether a repair that was asked for left them out.
    """

    kind: str
    count: int
    examples: tuple[BadRow, ...]
    removed: bool

    def __str__(self) -> str:
        rows = "row" if self.count == 1 else "rows"
        return f"{self.count:,} {rows} with {KINDS[self.kind]} ({self.examples[0]})"


@dataclass(frozen=True)
class ReadingReport:
    """What was read. rows : all rows of all files, blank lines not counted.
    missing : rows whose five values are all missing: bars that are known not to be there.
    bad : kinds of bad rows, in the order of `KINDS`; all removed where bars were returned.
    """

    paths: tuple[Path, ...]
    rows: int
    missing: int
    bad: tuple[BadRows, ...]

    @property
    def removed(self) -> int:
        """Rows that the repairs left out."""
        return sum(each.count for each in self.bad if each.removed)

    def sentences(self) -> tuple[str, ...]:
        """One sentence for every kind of bad row, the first example included."""
        return tuple(f"{each}{' were left out' if each.removed else ''}." for each in self.bad)


class RefusedRows(BadBars):
    """Files with bad rows that no repair was asked for; `report` holds all kinds and counts."""

    def __init__(self, source: str, report: ReadingReport) -> None:
        self.source, self.report = source, report
        kinds = [each for each in report.bad if not each.removed]
        super().__init__(f"{source}: {'; '.join(str(each) for each in kinds)}")
