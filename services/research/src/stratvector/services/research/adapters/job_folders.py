"""job_folders: every job's folder, written so that a crash at any moment leaves it whole.

<results folder>/<job id>/job.json   the job; replaced at once, never edited
                         /job.log    what its process said
                         /draft/     of a run under way; removed when it is over
                         /result/    result.json, orders, fills and equity as Parquet
                /.new-<job id>/      of a submission that was not answered; removed at a start
                /.old-<job id>/      of a job that is no more; removed when there is time
                /.lock               held by the service that works here
"""

import fcntl
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stratvector.services.research.adapters.job_record import BadRecord, job_of, text_of
from stratvector.services.research.job import BacktestRequest, Job
from stratvector.services.research.job_ids import submitted_at_ns

RECORD, LOG, DRAFT, RESULT = "job.json", "job.log", "draft", "result"
RESULT_DOCUMENT = "result.json"
NEW, OLD, LOCK, PROBE = ".new-", ".old-", ".lock", ".probe"
PROBE_BYTES = b"\0" * 4096


class NoResult(ValueError):
    """A run that ended well left no result that can be read; the message is one sentence."""


class JobFolders:
    """The results folder, held by at most one service at a time. Methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._lock: int | None = None

    def hold(self) -> bool:
        """Make the folder and take it; False while another process holds it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._lock is None:
            lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                return False
            except BaseException:
                os.close(lock)
                raise
            self._lock = lock
        return True

    def release(self) -> None:
        """Let another process have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def probe(self) -> None:
        """Whether a file can be written here now: raises OSError when not."""
        path = self.folder / PROBE
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            path.write_bytes(PROBE_BYTES)
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def jobs(self) -> list[Job]:
        """Every job, the oldest first; what a submission left half done is removed.

        A record that can't be read is a failed job whose error says why.
        """
        found = []
        for path in sorted(self.folder.iterdir()):
            if path.name.startswith(NEW):
                shutil.rmtree(path)
            elif submitted_at_ns(path.name) is not None and path.is_dir():
                found.append(self._read(path.name))
        return found

    def add(self, job: Job) -> None:
        """A new job: its folder appears with its record in it, or not at all."""
        new = self.folder / f"{NEW}{job.job_id}"
        new.mkdir()
        try:
            _write_durably(new / RECORD, text_of(job))
            _sync(new)
            new.rename(self.path(job.job_id))
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        _sync(self.folder)

    def record(self, job: Job) -> None:
        """Put the job in the place of what was recorded of it, even if its folder was removed."""
        path = self.path(job.job_id) / RECORD
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{RECORD}.draft")
        _write_durably(draft, text_of(job))
        draft.replace(path)
        _sync(path.parent)

    def begin(self, job_id: str) -> Path:
        """An empty folder for a run; what an earlier run left is removed, a result too."""
        for name in (DRAFT, RESULT):
            self._remove(job_id, name)
        draft = self.path(job_id) / DRAFT
        draft.mkdir(parents=True)
        return draft

    def keep_result(self, job_id: str) -> dict[str, float]:
        """Move the run's result into its place; its metrics, NaN = undefined. Raises NoResult."""
        draft = self.path(job_id) / DRAFT
        runs = list(draft.iterdir())
        if len(runs) != 1:
            raise NoResult(f"the backtest left {len(runs)} results; there must be one")
        metrics = _metrics(runs[0] / RESULT_DOCUMENT)
        for path in runs[0].iterdir():
            _sync(path)
        _sync(runs[0])
        runs[0].rename(self.result_path(job_id))
        draft.rmdir()
        _sync(self.path(job_id))
        return metrics

    def end(self, job_id: str) -> None:
        """Remove what a run that is over left beside its result."""
        self._remove(job_id, DRAFT)

    def retire(self, job_id: str) -> None:
        """The job is no more, whatever happens next; its files are still there."""
        # One that a person has deleted by hand is no more either.
        with suppress(FileNotFoundError):
            self.path(job_id).rename(self.folder / f"{OLD}{job_id}")
        _sync(self.folder)

    def retired(self) -> list[Path]:
        """What is left of jobs that are no more."""
        return sorted(self.folder.glob(f"{OLD}*"))

    def path(self, job_id: str) -> Path:
        """The folder of a job."""
        return self.folder / job_id

    def log_path(self, job_id: str) -> Path:
        """What the job's process said."""
        return self.path(job_id) / LOG

    def result_path(self, job_id: str) -> Path:
        """Where the result of a job lies when it is done."""
        return self.path(job_id) / RESULT

    def _read(self, job_id: str) -> Job:
        try:
            return job_of((self.path(job_id) / RECORD).read_bytes(), job_id)
        except BadRecord as error:
            why = str(error)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
        submitted = submitted_at_ns(job_id)
        assert submitted is not None
        lost = Job(job_id, BacktestRequest(""), submitted)
        return lost.failed(f"{RECORD} can't be read: {why}; submit the backtest again", submitted)

    def _remove(self, job_id: str, name: str) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path(job_id) / name)


def _metrics(path: Path) -> dict[str, float]:
    try:
        document = json.loads(path.read_bytes())
        return {
            str(name): math.nan if value is None else float(value)
            for name, value in document["metrics"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NoResult(f"the backtest's {path.name} can't be read: {error}") from error


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    """What the file, or the folder's list of names, holds survives a power cut."""
    with _opened(path) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
