"""`make lines` counts what the machine runs: no blanks, comments, docstrings or generated code."""

from pathlib import Path

import pytest

from tools.lines import count_of, main, python_lines, rust_lines

PYTHON = '''"""A module."""

import os  # needed

# A comment.
TEXT = """first

third"""


def told(
    name: str,
) -> str:
    """Not counted.

    Nor this.
    """
    return f"{name} {os.sep}"
'''
RUST = """//! A crate.
fn two() -> u8 {
    // why
    2
}

#[cfg(test)]
mod tests {
}
"""


def test_python_is_counted_without_blanks_comments_and_docstrings() -> None:
    assert python_lines(PYTHON) == len(["import", *["text"] * 3, *["def"] * 3, "return"])


def test_rust_is_counted_with_its_tests_apart() -> None:
    assert rust_lines(RUST) == (3, 3)


def test_tests_and_generated_code_stand_apart(tmp_path: Path) -> None:
    for name in ("src/one.py", "tests/test_one.py", "src/contracts/v1/wire_pb2.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    count = count_of(tmp_path)
    assert (count.product, count.tests) == (1, 1)


def test_the_sum_is_that_of_the_members(capsys: pytest.CaptureFixture[str]) -> None:
    main(Path(__file__).parents[2])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    product = {name: int(code.replace(",", "")) for name, code, _ in rows}
    total = product.pop("all")
    assert total == sum(product.values())
    assert {"libs/trading", "services/risk", "tests"} <= set(product)
    assert product["libs/trading"] > 0
