"""What may be submitted: each refusal is one sentence with the value and the rule."""

from pathlib import Path

import pytest

from services.research.tests.conftest import write_configuration
from stratvector.services.research.job import BacktestRequest
from stratvector.services.research.submission import BadSubmission, checked_request

LONG = "x" * 201


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("config")
    write_configuration(folder)
    (tmp_path / "outside.yaml").touch()
    (folder / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (folder / "circle.yaml").symlink_to("circle.yaml")
    (folder / "inner.yaml").symlink_to("system.yaml")
    (folder / "sub").mkdir()
    return folder


def refusal(config: Path, name: str = "", start: str = "", end: str = "") -> str:
    with pytest.raises(BadSubmission) as refused:
        checked_request(name, start, end, config)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("/etc/passwd", "it must be a path below the config folder, without .."),
        ("sub/../system.yaml", "it must be a path below the config folder, without .."),
        ("link.yaml", "it must not lead out of the config folder"),
        ("circle.yaml", "it can't be followed to a file"),
        ("none.yaml", "there is no such file in the config folder"),
        ("sub", "there is no such file in the config folder"),
        (".", "there is no such file in the config folder"),
        ("system.yaml\0", "a name has at most 200 characters, all printable"),
        (LONG, "a name has at most 200 characters, all printable"),
    ],
)
def test_a_configuration_is_a_file_of_the_config_folder(config: Path, name: str, rule: str) -> None:
    shown = f"{name[:200]}…" if name is LONG else name
    assert refusal(config, name) == f"config is {shown!r}; {rule}"


@pytest.mark.parametrize("text", ["20200301", "2020-3-1", "2020-02-30", "2020-W10-1", "today", "-"])
def test_a_date_is_written_in_one_way(config: Path, text: str) -> None:
    assert refusal(config, start=text) == f"start is {text!r}; write a date as YYYY-MM-DD"
    assert refusal(config, end=text) == f"end is {text!r}; write a date as YYYY-MM-DD"


@pytest.mark.parametrize("text", ["0001-01-01", "1849-12-31", "2200-01-01", "9999-12-31"])
def test_a_date_is_one_that_a_bar_can_have(config: Path, text: str) -> None:
    rule = "it must lie within 1850-01-01 to 2199-12-31"
    assert refusal(config, end=text) == f"end is {text!r}; {rule}"


def test_the_start_is_not_after_the_end_whichever_is_configured(config: Path) -> None:
    rule = "it must not be before the start, "
    both = refusal(config, start="2020-03-02", end="2020-03-01")
    assert both == f"end is '2020-03-01'; {rule}2020-03-02"
    assert refusal(config, end="2020-02-01") == f"end is '2020-02-01'; {rule}2020-02-03"
    assert refusal(config, start="2020-07-02") == (
        f"config/system.yaml: session.end is '2020-06-30'; {rule}2020-07-02"
    )


def test_a_configuration_that_cannot_run_is_refused_in_its_own_sentence(config: Path) -> None:
    path = config / "system.yaml"
    path.write_text(path.read_text().replace("per_asset_cap", "per_aset_cap"))
    sentence = "config/system.yaml: key risk.per_aset_cap is unknown; did you mean per_asset_cap?"
    assert refusal(config) == sentence
    path.write_text("models: [")
    assert refusal(config).startswith("config/system.yaml: ")
    assert "\n" not in refusal(config)


def test_what_can_run_is_asked_for_by_name(config: Path) -> None:
    assert checked_request("", "", "", config) == BacktestRequest("system.yaml")
    asked = ("inner.yaml", "2020-03-01", "2020-03-01")
    assert checked_request(*asked, config) == BacktestRequest(*asked)
