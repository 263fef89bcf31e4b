"""YAML's ambiguous words are refused with the advice to quote them; plain ones mean one thing."""

from datetime import date

import pytest

from stratvector.runtime.plain_yaml import NotPlainYaml, parse_plain_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "[Y, N, y, AAPL, TRUEX, 1INCH, BRK.B]",
            ["Y", "N", "y", "AAPL", "TRUEX", "1INCH", "BRK.B"],
        ),
        ('["ON", \'NO\', "0700", "12:30", "1_000"]', ["ON", "NO", "0700", "12:30", "1_000"]),
        ("[true, False, null, ~]", [True, False, None, None]),
        ("[0, -7, 100000, 0.5, .5, 5., .5e3, 1e-3]", [0, -7, 100000, 0.5, 0.5, 5.0, 500.0, 1e-3]),
        ("2018-01-31", date(2018, 1, 31)),
        ("24/7", "24/7"),
        ("4H", "4H"),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    ],
)
def test_plain_words_mean_one_thing(text: str, value: object) -> None:
    assert parse_plain_yaml(text) == value


@pytest.mark.parametrize("word", ["on", "ON", "No", "NO", "yes", "Off"])
def test_a_word_that_may_be_a_choice_must_be_quoted(word: str) -> None:
    for text in (f"symbols:\n  [AAPL, {word}]", f"assets:\n  {word}: oil", f"active:\n  {word}"):
        with pytest.raises(NotPlainYaml) as error:
            parse_plain_yaml(text)
        assert str(error.value) == (
            f"line 2: {word} is true or false to some readers of YAML and text to others: "
            f'put it in quotes, "{word}", or write true or false'
        )


@pytest.mark.parametrize(
    "word",
    [
        "0100000",
        "0700",
        "-010",
        "0988",
        "12:30",
        "9:30:00",
        "190:20:30.15",
        "1_000",
        "1_0.5",
        "0x1F",
        "0b11",
        "1.0_1",
    ],
)
def test_a_word_that_may_be_another_number_must_be_quoted(word: str) -> None:
    with pytest.raises(NotPlainYaml) as error:
        parse_plain_yaml(f"a: {word}")
    assert str(error.value) == (
        f"line 1: {word} is one number to some readers of YAML, and another or text to others: "
        f'put it in quotes, "{word}", or write the number in plain digits'
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\na: 2", "line 2: key a stands twice"),
        ("start: 2024-02-30", "line 1: 2024-02-30 is no date: day is out of range for month"),
        ("a: " + "9" * 5000, "line 1: 9999999999999999999999999999999999999999 is no number: "),
        ("[" * 3000, "it is nested too deeply"),
        ("a: !!python/object:os.system {}", "line 1: could not determine a constructor"),
    ],
)
def test_what_no_plain_yaml_holds_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(NotPlainYaml) as error:
        parse_plain_yaml(text)
    assert str(error.value).startswith(sentence)
