"""What a verification of the ledger found: nothing, or which row of which table is not as it was
recorded.
"""

from dataclasses import dataclass

from stratvector.trading.timestamps import utc_text

FILE = "file"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was recorded.

    table : where, `FILE` for the database's file as a whole. close_time : ns UTC, None where it is
    about no close. what : the row and the rule, as the end of a sentence.
    """

    table: str
    portfolio: str
    close_time: int | None
    what: str
    run: str = ""

    def __str__(self) -> str:
        of = f" of {self.portfolio}" if self.portfolio else ""
        of += f" in {self.run}" if self.run else ""
        at = "" if self.close_time is None else f" at {utc_text(self.close_time)}"
        return f"{self.table}{of}{at}: {self.what}"


@dataclass(frozen=True)
class VerifiedRecord:
    """The record of a portfolio in a run. chain_hash : after its newest close, as it was computed
    anew. run : empty for what was recorded before runs were kept and none has continued since.
    """

    portfolio: str
    closes: int
    last_close: int | None
    chain_hash: str
    run: str = ""


@dataclass(frozen=True)
class Verification:
    """What was looked at, and what was found.

    rows : of the tables that are derived from payloads. sealed : whether the file has its seal.
    findings : the first ones. found : how many there are.
    """

    records: tuple[VerifiedRecord, ...]
    rows: int
    sealed: bool
    findings: tuple[Finding, ...]
    found: int

    @property
    def passed(self) -> bool:
        """Whether everything is as it was recorded."""
        return not self.found

    @property
    def closes(self) -> int:
        """Verified closes of all records."""
        return sum(record.closes for record in self.records)

    def _named(self, record: VerifiedRecord) -> str:
        """The run tells records apart where there is more than one."""
        alone = len(self.records) == 1
        return record.portfolio if alone else f"{record.portfolio} in {record.run or 'no run'}"

    def sentence(self) -> str:
        """The verdict; of findings the first."""
        if self.passed:
            heads = ", ".join(f"{self._named(r)} {r.chain_hash[:16]}" for r in self.records)
            chain = f", chain {heads}" if heads else ""
            seal = ", the file as it was sealed" if self.sealed else ""
            return f"verified: {self.closes:,} closes, {self.rows:,} rows{chain}{seal}"
        more = f" (and {self.found - 1:,} more)" if self.found > 1 else ""
        return f"not as it was recorded: {self.findings[0]}{more}"
