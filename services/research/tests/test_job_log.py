"""What a job's process says: its progress is read, the rest is kept, up to a size."""

from pathlib import Path

import pytest

from stratvector.services.research.adapters.job_log import CUT, JobLog, progress_of
from stratvector.services.research.job import BacktestRequest, Job


def test_progress_lines_become_phase_and_share() -> None:
    replaying = '{"phase": "replaying", "closes_done": 5, "closes": 20, "date": "2020-03-01"}'
    assert progress_of(replaying) == ("replaying 2020-03-01", 0.25)
    assert progress_of('{"phase": "loading bars"}') == ("loading bars", 0.0)
    assert progress_of('{"phase": "replaying", "closes_done": 0, "closes": 0}') == ("replaying", 0)


@pytest.mark.parametrize(
    "line",
    ["", "stratvector: no", "{", "[]", '{"phas": 1}', "{" * 9999, '{"phase": "x", "closes": []}'],
)
def test_what_is_no_progress_is_none(line: str) -> None:
    assert progress_of(line) is None


def test_the_last_words_are_the_newest_that_are_no_progress(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    with JobLog(tmp_path / "job.log", lambda *progress: told.append(progress)) as log:
        assert log.last_words == ""
        for line in (b"stratvector: prices.csv: gone\n", b'{"phase": "loading bars"}\n', b"\n"):
            log.add(line)
        assert log.last_words == "prices.csv: gone"
        log.add(b"\xff\xfe bytes\n")
        assert log.last_words == "\ufffd\ufffd bytes"
    assert told == [("loading bars", 0.0)]


def test_a_log_ends_at_its_size_and_says_so_once(tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    with JobLog(path, lambda phase, progress: None, bytes_max=25) as log:
        for _ in range(9):
            log.add(b"ten bytes\n")
        assert log.last_words == "ten bytes"
    assert path.read_bytes() == b"ten bytes\n" * 2 + CUT


def test_a_full_disk_ends_the_log_and_not_the_reading() -> None:
    told: list[str] = []
    with JobLog(Path("/dev/full"), lambda phase, progress: told.append(phase)) as log:
        log.add(b"stratvector: the sentence\n")
        log.add(b'{"phase": "loading bars"}\n')
        assert log.last_words == "the sentence"
    assert told == ["loading bars"]


def test_progress_never_steps_back_and_is_whole_only_at_the_end() -> None:
    job = Job("20200301-000000-000000000", BacktestRequest("system.yaml"), 1).running()
    shares = []
    for share in (0.3, 0.1, 1.0, 0.5):
        job = job.told("replaying", share)
        shares.append(job.progress)
    assert shares == [0.3, 0.3, 0.99, 0.99]
    assert job.failed("no", 2).progress == 0.99
    assert job.done({}, 2).progress == 1.0
    assert (job.waiting().progress, job.waiting().phase) == (0.0, "waiting")
