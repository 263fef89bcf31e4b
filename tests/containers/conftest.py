"""Tests of images and of the compose file, of which `make deploy-test` builds the images."""

from pathlib import Path

import pytest

from tests.containers.engine import refusal

SHORT = ("market_data", "strategy", "risk", "execution", "ledger")
FURTHER = ("drift", "research", "gateway", "monte_carlo")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """They need images, so no other run looks at them."""
    asked = config.getoption("--containers")
    return True if not asked and collection_path.name.startswith("test_") else None


@pytest.fixture(scope="session", autouse=True)
def _engine() -> None:
    if why_not := refusal():
        pytest.skip(f"containers are not tested here: {why_not}")


@pytest.fixture(scope="session")
def is_short(pytestconfig: pytest.Config) -> bool:
    """Whether only the flow's own services have images."""
    return bool(pytestconfig.getoption("--containers") == "short")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of each image that was built."""
    if "service" in metafunc.fixturenames:
        short = metafunc.config.getoption("--containers") == "short"
        metafunc.parametrize("service", SHORT if short else SHORT + FURTHER)
