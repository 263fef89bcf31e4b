"""At which of the times that a run meets an effect somebody dies."""

import pytest

LONG_SEEDS = 1_000  # as many as `make simulation` asks for
FEW = 4


def is_long(request: pytest.FixtureRequest) -> bool:
    """Whether this is `make simulation`, which tries every place."""
    return bool(request.config.getoption("--seeds") >= LONG_SEEDS)


def occurrences(met: int, request: pytest.FixtureRequest) -> list[int]:
    """Counted from 1: each of them, or in `make test` a few that are spread over all, the first and
    the last among them.
    """
    if is_long(request) or met <= FEW:
        return list(range(1, met + 1))
    return sorted({1 + round(n * (met - 1) / (FEW - 1)) for n in range(FEW)})
