"""plain_yaml: YAML of plain types; a key that stands twice is refused: YAML keeps the last one."""

from collections.abc import Hashable
from typing import Any

import yaml


class NotPlainYaml(ValueError):
    """The text is no such YAML; the message says where and why, without the file's name."""


def parse_plain_yaml(text: str) -> Any:
    """The document, None if it is empty. Raises NotPlainYaml."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise NotPlainYaml(_sentence(error)) from error


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A table; a key that stands twice is an error."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key} stands twice", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)


def _sentence(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return "it is not YAML: it holds a character that YAML forbids"
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}: " if mark else ""
    return f"{where}{error.problem or 'it is not YAML'}"
