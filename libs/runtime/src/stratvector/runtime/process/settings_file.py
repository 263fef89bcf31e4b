"""settings_file: a YAML file of settings as keys and values."""

from pathlib import Path
from typing import Any

from stratvector.runtime.plain_yaml import NotPlainYaml, parse_plain_yaml


class BadSettings(ValueError):
    """Settings that no service can run with; the message is one sentence."""


def read_settings_file(path: Path) -> dict[str, Any]:
    """The keys of the file; none if it is empty. Raises BadSettings."""
    try:
        document = parse_plain_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadSettings(f"{path}: no such settings file") from None
    except OSError as error:
        raise BadSettings(f"{path}: the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadSettings(f"{path}: the file is not UTF-8 text") from None
    except NotPlainYaml as error:
        raise BadSettings(f"{path}: {error}") from None
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise BadSettings(f"{path}: the file must hold keys and values, such as `http_port: 9100`")
    return document
