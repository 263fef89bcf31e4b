"""YAML files as tables of keys."""

from pathlib import Path
from typing import Any

from stratvector.config.bad_config import ConfigMissing, ConfigUnreadable
from stratvector.runtime.plain_yaml import NotPlainYaml, parse_plain_yaml


def read_document(path: Path, needed: str) -> dict[str, Any]:
    """The keys of a YAML file; none if it is empty.

    needed : what the file is for, a phrase for the error. Raises ConfigMissing, ConfigUnreadable.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigMissing(path, needed) from None
    except IsADirectoryError:
        raise ConfigUnreadable(path, f"it is a folder; {needed}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigUnreadable(path, f"it cannot be read: {reason}") from error
    try:
        document = parse_plain_yaml(text)
    except NotPlainYaml as error:
        raise ConfigUnreadable(path, str(error)) from error
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise ConfigUnreadable(path, "it must hold keys and values, such as `system:`")
    return document
