"""submission: what may be asked for. Every refusal is one sentence with the value and the rule."""

from datetime import date
from pathlib import Path

from stratvector.config import BadConfig, Configuration, read_configuration
from stratvector.config.bad_config import BadValue
from stratvector.config.session_range import COMMAND_LINE, session_range
from stratvector.services.research.job import BacktestRequest

CONFIG = "system.yaml"
NAME_CHARACTERS_MAX = 200
# The years that a bar can have (stratvector.trading.timestamps), which `session_range` asks too.
FIRST_DATE, LAST_DATE = "1850-01-01", "2199-12-31"


class BadSubmission(ValueError):
    """A backtest that can't run; the message is one sentence."""


def checked_request(config: str, start: str, end: str, config_folder: Path) -> BacktestRequest:
    """The request, with the default configuration's name filled in; reads the configuration.

    start, end : YYYY-MM-DD, "" as configured. Raises BadSubmission.
    """
    for key, text in (("start", start), ("end", end)):
        _check_date(key, text)
    if start and end and start > end:
        raise BadSubmission(f"end is {end!r}; it must not be before the start, {start}")
    name = config or CONFIG
    path = config_path(config_folder, name)
    try:
        configuration = read_configuration(path)
        _check_range(configuration, start, end)
    except BadConfig as error:
        raise BadSubmission(str(error)) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadSubmission(f"config is {name!r}; it can't be read: {reason}") from None
    return BacktestRequest(name, start, end)


def config_path(config_folder: Path, name: str) -> Path:
    """The file of a configuration's name. Raises BadSubmission for one outside the folder."""

    def refused(rule: str) -> BadSubmission:
        shown = name if len(name) <= NAME_CHARACTERS_MAX else name[:NAME_CHARACTERS_MAX] + "…"
        return BadSubmission(f"config is {shown!r}; {rule}")

    asked = Path(name)
    if len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise refused(f"a name has at most {NAME_CHARACTERS_MAX} characters, all printable")
    if asked.is_absolute() or ".." in asked.parts:
        raise refused("it must be a path below the config folder, without ..")
    path = config_folder / asked
    try:
        within = path.resolve().is_relative_to(config_folder.resolve())
        is_file = path.is_file()
    except (OSError, RuntimeError):
        raise refused("it can't be followed to a file") from None
    if not within:
        raise refused("it must not lead out of the config folder")
    if not is_file:
        raise refused("there is no such file in the config folder")
    return path


def _check_date(key: str, text: str) -> None:
    if not text:
        return
    shown = repr(text[:NAME_CHARACTERS_MAX])
    try:
        valid = date.fromisoformat(text).isoformat() == text
    except ValueError:
        valid = False
    if not valid:
        raise BadSubmission(f"{key} is {shown}; write a date as YYYY-MM-DD")
    if not FIRST_DATE <= text <= LAST_DATE:
        raise BadSubmission(f"{key} is {shown}; it must lie within {FIRST_DATE} to {LAST_DATE}")


def _check_range(configuration: Configuration, start: str, end: str) -> None:
    """The first instant is not after the last, one of which may be configured."""
    try:
        session_range(configuration, start or None, end or None)
    except BadValue as error:
        if error.path != COMMAND_LINE:
            raise
        key = error.key.removeprefix("--")
        raise BadSubmission(f"{key} is {error.value!r}; {error.rule}") from None
