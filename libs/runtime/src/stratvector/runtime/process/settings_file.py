"""settings_file: a YAML file of settings as keys and values."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml


class BadSettings(ValueError):
    """Settings that no service can run with; the message is one sentence."""


def read_settings_file(path: Path) -> dict[str, Any]:
    """The keys of the file; none if it is empty. Raises BadSettings."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise BadSettings(f"{path}: no such settings file") from None
    except OSError as error:
        raise BadSettings(f"{path}: the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadSettings(f"{path}: the file is not UTF-8 text") from None
    except yaml.YAMLError as error:
        raise BadSettings(f"{path}: {_sentence(error)}") from None
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise BadSettings(f"{path}: the file must hold keys and values, such as `http_port: 9100`")
    return document


class _Loader(yaml.SafeLoader):
    """YAML's plain types; a key that stands twice is an error, as YAML would keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A table without double keys."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    problem = f"key {key_node.value} stands twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def _sentence(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return "it is not YAML: it holds a character that YAML forbids"
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}: " if mark else ""
    return f"{where}{error.problem or 'it is not YAML'}"
