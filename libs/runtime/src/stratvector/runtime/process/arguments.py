"""arguments: the command line of a service process: `--settings FILE`, and what `--help` tells."""

import argparse
from pathlib import Path

from stratvector.runtime.process.settings import ProcessSettings, is_secret, variable

EXIT_CODES = """exit codes: 0 stopped cleanly, 1 failed or left something behind, 2 wrong settings,
78 can't work until a person puts something right (the log tells what)"""


def settings_file_of(
    service: str, settings_type: type[ProcessSettings], arguments: list[str] | None = None
) -> Path | None:
    """The file that `--settings` names, or None. `--help` and wrong options end the process."""
    parser = argparse.ArgumentParser(
        prog=f"python -m stratvector.services.{service}",
        description=settings_type.__doc__,
        epilog=f"{_settings_table(service, settings_type)}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="YAML file of settings")
    parsed = parser.parse_args(arguments)
    found: Path | None = parsed.settings
    return found


def _settings_table(service: str, settings_type: type[ProcessSettings]) -> str:
    lines = ["settings, by file or by environment (which wins):"]
    for key, field in settings_type.model_fields.items():
        default = "required" if field.is_required() else f"default {_shown(settings_type, key)}"
        lines.append(f"  {key}  ({default}; {variable(service, key)})")
        lines.append(f"      {field.description}")
    return "\n".join(lines)


def _shown(settings_type: type[ProcessSettings], key: str) -> str:
    default = settings_type.model_fields[key].default
    if default is None or is_secret(settings_type, key):
        return "none"
    return str(default).lower() if isinstance(default, bool) else str(default)
