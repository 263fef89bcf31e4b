"""A service's `__main__` only starts it."""

from pathlib import Path

import pytest

from stratvector.trading.flow import SERVICES

ROOT = Path(__file__).resolve().parents[2]
MAIN_LINES_MAX = 30


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_main_only_starts_it(service: str) -> None:
    main = ROOT / f"services/{service}/src/stratvector/services/{service}/__main__.py"
    assert len(main.read_text().splitlines()) <= MAIN_LINES_MAX
