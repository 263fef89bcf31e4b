"""Every service of the flow is a command that explains itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stratvector.trading.flow import SERVICES

ROOT = Path(__file__).resolve().parents[2]
MAIN_LINES_MAX = 30


@pytest.mark.parametrize("service", SERVICES)
def test_help_tells_what_a_service_does_and_its_settings(service: str) -> None:
    command = [sys.executable, "-m", f"stratvector.services.{service}", "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    described = run.stdout.split("\n\n")[1]
    assert re.fullmatch(r"[A-Z][^\n]+\.", described)
    assert f"STRATVECTOR_{service.upper()}_NATS_URL" in run.stdout
    assert run.stderr == ""


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_main_only_starts_it(service: str) -> None:
    main = ROOT / f"services/{service}/src/stratvector/services/{service}/__main__.py"
    assert len(main.read_text().splitlines()) <= MAIN_LINES_MAX
