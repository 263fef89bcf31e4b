"""plain_yaml: YAML of plain types, without the words that its two versions read differently.

YAML 1.1 takes NO for false, 0700 for 448 and 12:30 for 750; YAML 1.2 takes them for text or for
other numbers. Such a word is refused unless it stands in quotes, since a ticker or a time that
silently became something else is worse than an error. So is a key that stands twice: YAML keeps
the last one.
"""

import re
from collections.abc import Hashable
from typing import Any

import yaml

_AMBIGUOUS, _MERGE = "!ambiguous", "tag:yaml.org,2002:merge"
_CHOICE = re.compile(r"(?i:yes|no|on|off)")
_NUMBER = re.compile(
    r"""[-+]?(?:0b[01_]+|0[xX][0-9a-fA-F_]+|0[0-9_]+
        |[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?
        |[0-9]+_[0-9_]*(?:\.[0-9_]*)?|[0-9]+\.[0-9]*_[0-9_]*)""",
    re.VERBOSE,
)
_PLAIN = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
)


class NotPlainYaml(ValueError):
    """The text is no such YAML; the message says where and why, without the file's name."""


def parse_plain_yaml(text: str) -> Any:
    """The document, None if it is empty. Raises NotPlainYaml."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise NotPlainYaml(_sentence(error)) from error
    except RecursionError:
        raise NotPlainYaml("it is nested too deeply") from None


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A table; a key that stands twice is an error."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise _wrong(key_node, f"key {key} stands twice")
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """A scalar's text; one that is ambiguous is an error."""
        if node.tag == _AMBIGUOUS:
            raise _wrong(node, _advice(node.value))
        return super().construct_scalar(node)

    def construct_checked(self, node: yaml.Node) -> Any:
        """A number or a date; one that is impossible is an error."""
        read = yaml.SafeLoader.yaml_constructors[node.tag]
        try:
            return read(self, node)
        except ValueError as error:
            kind = "date" if node.tag.endswith("timestamp") else "number"
            raise _wrong(node, f"{node.value[:40]} is no {kind}: {error}") from None


def _prepare(loader: type[_Loader]) -> None:
    """Give the loader its own rules of what an unquoted word is."""
    kept = {"tag:yaml.org,2002:null", "tag:yaml.org,2002:timestamp", _MERGE}
    loader.yaml_implicit_resolvers = {
        first: [rule for rule in rules if rule[0] in kept]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for pattern, firsts in ((_CHOICE, "yYnNoO"), (_NUMBER, "-+0123456789")):
        whole = re.compile(rf"(?:{pattern.pattern})$", pattern.flags)
        loader.add_implicit_resolver(_AMBIGUOUS, whole, list(firsts))
    loader.add_constructor(_AMBIGUOUS, loader.construct_scalar)
    for kind, words, firsts in _PLAIN:
        tag = f"tag:yaml.org,2002:{kind}"
        loader.add_implicit_resolver(tag, re.compile(rf"(?:{words})$"), list(firsts))
    for kind in ("int", "float", "timestamp"):
        loader.add_constructor(f"tag:yaml.org,2002:{kind}", loader.construct_checked)


_prepare(_Loader)


def _advice(word: str) -> str:
    if _CHOICE.fullmatch(word):
        return (
            f"{word} is true or false to some readers of YAML and text to others: "
            f'put it in quotes, "{word}", or write true or false'
        )
    return (
        f"{word} is one number to some readers of YAML, and another or text to others: "
        f'put it in quotes, "{word}", or write the number in plain digits'
    )


def _wrong(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _sentence(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return "it is not YAML: it holds a character that YAML forbids"
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}: " if mark else ""
    return f"{where}{error.problem or 'it is not YAML'}"
