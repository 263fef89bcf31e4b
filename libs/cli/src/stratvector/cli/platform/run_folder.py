"""run_folder: where one run by processes lies, from its start on.

    results/<portfolio>-<hash>-<n>/           of a paper run <portfolio>-paper.<id>, without results
        result.json, orders, fills and equity     at the end, whole
        session/
            document.json                         what is applied at each start
            provenance.json                       what the result says about its inputs
            nats/, keys/, settings/               the platform's own
            store/, ledger.db                     market_data's bars, the ledger's database

A run that was interrupted is continued in its session folder: the log knows how far it came.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stratvector.backtest import Result, new_folder, write_result_into
from stratvector.cli.bus_access import user_name
from stratvector.cli.failures import CommandFailed
from stratvector.cli.runs import run_name
from stratvector.config import Configuration, provenance
from stratvector.runtime.documents import Wish, decode_wish, encode_wish, wish_of
from stratvector.runtime.logged_session import LoggedSession
from stratvector.trading.session import Session

SESSION = "session"
DOCUMENT = "document.json"
PROVENANCE = "provenance.json"
LOCK = "supervisor.lock"


class HeldByAnother(CommandFailed):
    """Another process works in the folder."""


@dataclass(frozen=True)
class RunFolder:
    """A run's place. session_folder : where its platform works; results go beside it."""

    session_folder: Path

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return self.session_folder.parent

    @cached_property
    def wish(self) -> Wish:
        """What is applied. Raises BadSession, CommandFailed."""
        place = self.session_folder / DOCUMENT
        try:
            return decode_wish(str(place), place.read_bytes())
        except FileNotFoundError:
            raise CommandFailed(f"{place}: no such file; a session's folder holds it") from None
        except OSError as error:
            raise CommandFailed(f"{place}: it can't be read: {error.strerror}") from None

    @cached_property
    def session(self) -> LoggedSession:
        """The session that the document describes. Raises BadSession, CommandFailed."""
        return self.wish.session()

    @contextmanager
    def held(self) -> Iterator[None]:
        """For this supervisor alone; the kernel lets go when it dies. Raises HeldByAnother."""
        lock = self.session_folder / LOCK
        with lock.open("a+", encoding="utf-8") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.seek(0)
                raise HeldByAnother(
                    f"{self.session_folder} is run by process {held.read() or 'unknown'} already"
                ) from None
            held.truncate(0)
            held.write(str(os.getpid()))
            held.flush()
            yield

    def facts(self) -> dict[str, Any]:
        """What the result says about its inputs. Raises CommandFailed."""
        place = self.session_folder / PROVENANCE
        try:
            return dict(json.loads(place.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise CommandFailed(f"{place}: it can't be read: {error}") from None

    def write(self, result: Result) -> None:
        """Put a result beside the session. Raises OSError."""
        write_result_into(self.folder, result, self.facts())


def new_run(configuration: Configuration, session: Session, out: Path) -> RunFolder:
    """Make out/<portfolio>-<hash>-<n> with the document in it; it appears whole or not at all.

    Raises BadSession or OSError, and leaves nothing then.
    """
    facts = provenance(configuration, session)

    def fill(draft: Path) -> None:
        folder = draft / SESSION
        folder.mkdir()
        text = json.dumps(facts, indent=1) + "\n"
        (folder / PROVENANCE).write_text(text, encoding="utf-8")
        write_document(folder, wish_of(session, user_name(), time.time_ns()))

    return RunFolder(new_folder(out, run_name(session, facts), fill) / SESSION)


def endless_run(wish: Wish, out: Path) -> RunFolder:
    """The place of a run without an end, out/<portfolio>-<run>, made with the document in it unless
    it is there already. Raises BadSession, CommandFailed or OSError.
    """
    run = RunFolder(out / f"{wish.portfolio}-{wish.run}" / SESSION)
    if run.folder.exists():
        return run
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".draft-", dir=out) as place:
        draft = Path(place) / run.folder.name
        (draft / SESSION).mkdir(parents=True)
        write_document(draft / SESSION, wish)
        draft.rename(run.folder)
    return run


def write_document(folder: Path, wish: Wish) -> None:
    """Put what is to be applied into a session's folder. Raises OSError."""
    text = json.dumps(json.loads(encode_wish(wish)), indent=1) + "\n"
    (folder / DOCUMENT).write_text(text, encoding="utf-8")


def earlier_run(session_folder: Path) -> RunFolder:
    """The run whose session lies in a folder. Raises BadSession, CommandFailed."""
    run = RunFolder(session_folder)
    if run.session.closes is None:
        raise CommandFailed(
            f"{session_folder} is of a paper run, which has no end: `stratvector paper run` "
            "continues it"
        )
    _ = run.session.portfolio
    run.facts()
    return run
