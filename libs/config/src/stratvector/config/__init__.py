"""Configuration: what a user writes in YAML, checked once and refused in one sentence.

`read_configuration` reads system.yaml and the files beside it; `load_session` adds bars and
strategies and gives the session that every driver starts from. Importing this loads no data
package: polars, calendars and the engine come with `load_session`.
"""

from stratvector.config.bad_config import BadConfig
from stratvector.config.configuration import Configuration, read_configuration
from stratvector.config.loading import load_session, provenance, session_of

__all__ = [
    "BadConfig",
    "Configuration",
    "load_session",
    "provenance",
    "read_configuration",
    "session_of",
]
