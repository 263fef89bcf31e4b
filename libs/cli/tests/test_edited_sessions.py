"""Whatever is edited beside a log: parity says the same, and the session goes on only as it was."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from libs.cli.tests.test_parity_command import messages_of, stored_in
from stratvector.cli.failures import CommandFailed
from stratvector.cli.parity import examine
from stratvector.cli.platform.run_folder import DOCUMENT, RunFolder
from stratvector.runtime.applying import go_on
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.documents import DOCUMENTS, Documents, Wish
from stratvector.runtime.jetstream.accounts import APPLY
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.session_document import BadSession
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.simulated_flow import Flow, run_flow

EDITS = 200
REFUSALS = (BadSession, OtherChapter, CommandFailed)
Run = Callable[[Any], Any]


@dataclass(frozen=True)
class Begun:
    """A finished session whose server runs, its files as they were written, and its log's bus."""

    folder: Path
    written: dict[Path, bytes]
    wish: Wish
    bus: JetStreamBus
    documents: Documents
    run: Run

    def refusal(self) -> str:
        """What continuing the session is refused with; empty when it would go on."""
        try:
            self.run(go_on(self.bus, self.documents, RunFolder(self.folder).wish))
        except REFUSALS as error:
            return str(error)
        return ""

    def restore(self) -> None:
        """Every file as it was written."""
        for place, content in self.written.items():
            place.write_bytes(content)


@pytest.fixture(scope="module")
def flow() -> Flow:
    """A small session with warm-up."""
    return run_flow(generated_session(8, Shape(2, 1, 1, closes=4, warmup=2)))


@pytest.fixture(scope="module")
def begun(flow: Flow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    """The session on a real server, which runs as long as the tests do."""
    place = tmp_path_factory.mktemp("edited")
    folder = place / "session"
    server = stored_in(folder, flow, messages_of(flow))
    files = [folder / DOCUMENT]
    written = {file: file.read_bytes() for file in files}
    with asyncio.Runner() as runner, RunFolder(folder).held(), pytest.MonkeyPatch.context() as to:
        to.chdir(place)
        seed = KeyFolder(folder / "keys").seed_file(APPLY)
        client = runner.run(connect(server.url, seed, "test", 30.0))
        documents = Documents(JetStreamKeyValue(client, DOCUMENTS))
        wish = RunFolder(folder).wish
        yield Begun(folder, written, wish, JetStreamBus(client), documents, runner.run)
        runner.run(client.close())
    server.stop()


def parity_beside(begun: Begun, edited: dict[Path, bytes]) -> dict[str, Any]:
    """What parity says while several files are edited at once, each in its own way."""
    for place, content in edited.items():
        place.write_bytes(content)
    try:
        return examine(begun.folder).document()
    finally:
        begun.restore()


def edit(random_: random.Random, files: list[Path]) -> tuple[str, Path]:
    """Change one file somehow; what was done, and to which."""
    place = random_.choice(files)
    content = bytearray(place.read_bytes())
    kinds = ["flip", "cut", "insert", "double"]
    kind = random_.choice(kinds + ["value"] * 4 if place.name == DOCUMENT else kinds)
    at = random_.randrange(len(content))
    match kind:
        case "flip":
            content[at] ^= 1 << random_.randrange(8)
        case "cut":
            del content[at:]
        case "insert":
            content.insert(at, random_.randrange(256))
        case "double":
            content += content[at:]
        case "value":
            document = json.loads(content)
            change_a_leaf(random_, document)
            content = bytearray(json.dumps(document, indent=1).encode())
    place.write_bytes(bytes(content))
    return f"{kind} of {place.name} at {at}", place


def change_a_leaf(random_: random.Random, document: Any) -> None:
    """One value of a document becomes another."""
    while True:
        keys = list(document) if isinstance(document, dict) else range(len(document))
        key = random_.choice(list(keys))
        inner = document[key]
        if isinstance(inner, dict | list) and inner:
            document = inner
            continue
        match inner:
            case bool():
                document[key] = not inner
            case int() | float():
                document[key] = inner + 1
            case str():
                document[key] = f"{inner}1"
            case _:
                document[key] = 1
        return


def is_as_written(begun: Begun) -> bool:
    """Whether the folder still wants the same, value by value."""
    return RunFolder(begun.folder).wish.says_the_same(begun.wish)


def test_no_edit_of_a_document_deceives_parity_or_is_continued(
    begun: Begun, say: Callable[[str], None]
) -> None:
    expected = examine(begun.folder).document()
    assert (expected["equal"], expected["complete"]) == (True, True)
    assert begun.refusal() == ""
    dice, refused, edited = random.Random(10), 0, dict[Path, bytes]()
    for number in range(EDITS):
        what, place = edit(dice, list(begun.written))
        refusal, content = begun.refusal(), place.read_bytes()
        assert "\n" not in refusal, f"edit {number}: {what}: {refusal}"
        assert refusal or is_as_written(begun), f"edit {number}: {what}"
        refused += bool(refusal)
        begun.restore()
        if place in edited:
            assert parity_beside(begun, edited) == expected, f"edits before {number}"
            edited.clear()
        edited[place] = content
    assert parity_beside(begun, edited) == expected
    say(f"{EDITS} edits: parity equal each time, {refused} not continued, others mean the same")
    assert refused > EDITS / 2


def test_without_its_files_a_log_is_proven_all_the_same(begun: Begun) -> None:
    expected = examine(begun.folder).document()
    try:
        shutil.rmtree(begun.folder / "store")
        (begun.folder / DOCUMENT).unlink()
        assert examine(begun.folder).document() == expected
    finally:
        begun.restore()


def test_another_engine_does_not_continue_a_replay(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = begun.wish.chapter().engine_hash
    monkeypatch.setattr("stratvector.trading.engine.compiling.engine_hash", lambda: "f" * 16)
    assert begun.refusal().startswith(
        f"the session began with engine {ran} and this is {'f' * 16}: a replay is the result of one"
    )


def test_another_code_of_a_strategy_does_not_continue_a_session(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stratvector.runtime.session_document.source_hash", lambda kind: "other")
    assert "is not what the session began with" in begun.refusal()
