"""YAML files as tables of keys. A key that stands twice is refused: YAML keeps the last one."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from stratvector.cli.config.bad_config import ConfigMissing, ConfigUnreadable


def read_document(path: Path, needed: str) -> dict[str, Any]:
    """The keys of a YAML file; none if it is empty.

    needed : what the file is for, a phrase for the error. Raises ConfigMissing, ConfigUnreadable.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigMissing(path, needed) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigUnreadable(path, f"it cannot be read: {reason}") from error
    try:
        document = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigUnreadable(path, _sentence(error)) from error
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise ConfigUnreadable(path, "it must hold keys and values, such as `system:`")
    return document


class _Loader(yaml.SafeLoader):
    """YAML's plain types only."""

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
