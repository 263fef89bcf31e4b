"""The clock of leases counts the time that its machine was suspended."""

import shutil
import subprocess
import sys

import pytest

SUSPENDED_SECONDS = 100_000
READ = """
import time
from stratvector.runtime.jetstream.clock import AsyncClock
print(AsyncClock().monotonic_seconds() - time.monotonic())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs time namespaces")
def test_time_that_the_machine_slept_counts_against_a_lease() -> None:
    """A time namespace differs from its machine like a machine that was suspended for so long."""
    unshare = shutil.which("unshare")
    slept = [str(unshare), "--time", "--boottime", str(SUSPENDED_SECONDS)]
    if unshare is None or subprocess.run([*slept, "true"], capture_output=True).returncode:
        pytest.skip("this user may make no time namespace")
    read = subprocess.run([*slept, sys.executable, "-c", READ], capture_output=True, check=True)
    assert float(read.stdout) > SUSPENDED_SECONDS / 2
