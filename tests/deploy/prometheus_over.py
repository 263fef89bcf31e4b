"""A real Prometheus over samples that were never scraped, to ask it what it makes of them."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

STARTS_WITHIN_SECONDS = 30


@contextmanager
def prometheus_over(folder: Path, samples: str) -> Iterator[str]:
    """Its address while the context lasts. samples : OpenMetrics with times, to its `# EOF`."""
    (folder / "scraped.txt").write_text(samples)
    blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "scraped.txt", "data"]
    subprocess.run(blocks, cwd=folder, check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("")
    log = folder / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
             "--web.listen-address=127.0.0.1:0"],
            cwd=folder, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield _address_of(log)
    finally:
        process.terminate()
        process.wait()


def _address_of(log: Path) -> str:
    """Where it listens, once it answers; its log tells the port that it took."""
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        found = re.search(
            r"[Ll]istening on\"? (?:component=\w+ )?address=\"?([\d.]+:\d+)", log.read_text()
        )
        if found:
            try:
                with urlopen(f"http://{found[1]}/-/ready"):
                    return f"http://{found[1]}"
            except URLError:
                pass
        time.sleep(0.05)
    raise AssertionError(log.read_text())
