"""Stages for drift processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sessions.drift_stage import FIRST, LAST, SESSION, DriftStage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DriftStage]:
    """The whole session is in the log."""
    stage = DriftStage(tmp_path_factory.mktemp("drift"), SESSION)
    stage.raise_server()
    stage.publish(FIRST, LAST)
    yield stage
    stage.server.stop()


@pytest.fixture
def empty_stage(tmp_path: Path) -> Iterator[DriftStage]:
    """Its server is not started yet, its log empty."""
    stage = DriftStage(tmp_path, SESSION)
    yield stage
    stage.server.stop()
