"""rules_file: config/drift.yaml as rules. A key that no rule has is refused."""

from pathlib import Path

from stratvector.drift import BadDriftRules, DriftRules
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.settings import nearest
from stratvector.runtime.process.settings_file import BadSettings, read_settings_file


def read_rules(path: Path | None) -> DriftRules:
    """The rules of a file, each with its default where it is not told. Raises CannotStart."""
    if path is None:
        return DriftRules()
    try:
        told = read_settings_file(path)
        for key in told:
            if key not in DriftRules.names():
                closest = nearest(key, list(DriftRules.names()))
                raise CannotStart(f"{path}: there is no rule {key}; the nearest is {closest}")
        return DriftRules(**told)
    except BadSettings as error:
        raise CannotStart(str(error)) from None
    except BadDriftRules as error:
        raise CannotStart(f"{path}: {error}") from None
