"""A folder of its own for each test, with a small configuration and generated prices."""

from pathlib import Path

import pytest

from tests.sessions.small_configuration import ConfigFolder, write_configuration


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConfigFolder:
    """A folder with configuration and prices; the working directory."""
    monkeypatch.chdir(tmp_path)
    write_configuration(tmp_path)
    return ConfigFolder(tmp_path)
