"""docs/indicators.md lists every registered indicator, as it is called and what it reads."""

import re
from pathlib import Path

import numpy as np
import pytest

import stratvector.strategies.indicators as room
from stratvector.strategies.indicators import INDICATORS
from stratvector.strategies.indicators.registry import Between, Whole

PAGE = (Path(__file__).parents[3] / "docs/indicators.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (.+?) \| `(\w+)\(([^)]*)\)` \| (.+?) \| `(.+?)` \| (.+?) \| (.+?) \|$")
ROWS = [match.groups() for line in PAGE.splitlines() if (match := ROW.match(line))]


def test_every_registered_indicator_has_one_row_and_no_other_has() -> None:
    assert sorted(row[1] for row in ROWS) == sorted(INDICATORS)


@pytest.mark.parametrize("name", sorted(INDICATORS))
def test_a_row_says_the_parameters_and_the_closes_that_a_value_reads(name: str) -> None:
    (row,) = [row for row in ROWS if row[1] == name]
    indicator = INDICATORS[name]
    parameters = list(indicator.signature.parameters)[1:]
    assert row[2] == ", ".join(parameters)
    sizes = {Whole(1): 5, Whole(2): 5, Between(0.0, 1.0): 0.01}
    given = {n: sizes[rule] for n, rule in indicator.rules.items() if rule in sizes}
    others = {n: 1 for n in parameters if n not in given and n not in ("of", "returns")}
    said = eval(row[4], {**vars(room)}, given)
    assert said == indicator.closes_read(**given, **others)


def test_the_pages_example_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    smooth = names["smooth"]
    assert isinstance(smooth, np.ndarray)
    assert not np.isnan(smooth[-1]).all()
