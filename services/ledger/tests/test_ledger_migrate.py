"""The program that a cluster's job runs before, or while, the ledger starts."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from stratvector.services.ledger.adapters.migrating import NEWEST_REVISION, VERSION_TABLE
from stratvector.services.ledger.migrate import VARIABLE, main


def test_an_empty_database_has_the_newest_tables_and_a_second_run_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv(VARIABLE, url)
    assert [main(), main()] == [0, 0]
    assert capsys.readouterr().out.count(f"at revision {NEWEST_REVISION}") == 2
    assert {VERSION_TABLE, "payloads"} <= set(inspect(create_engine(url)).get_table_names())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", f"migrate: {VARIABLE} is not set"),
        ("sqlite:////nowhere/at/all/ledger.db", "migrate: ledger database"),
    ],
)
def test_a_wrong_database_is_one_sentence_and_a_failure(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    assert main() == 1
    told = capsys.readouterr().err
    assert told.startswith(said)
    assert told.count("\n") == 1
