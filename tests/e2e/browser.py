"""A real Chromium that may ask this machine only, and what it complained about."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, sync_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 60_000
Tone = Literal["light", "dark"]


@dataclass
class Complaints:
    """errors : of scripts and of the console. foreign : addresses beyond this machine."""

    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def note_line(self, kind: str, text: str) -> None:
        """Remember an error that a page's scripts or the browser told."""
        if kind == "error":
            self.errors.append(text)

    def note_request(self, request: Request) -> None:
        """Remember one that leaves this machine."""
        place = urlsplit(request.url)
        if place.scheme not in ("data", "blob") and place.hostname != "127.0.0.1":
            self.foreign.append(request.url)


@dataclass(frozen=True)
class Opened:
    """A page and its complaints."""

    page: Page
    complaints: Complaints

    def text(self, name: str) -> str:
        """What an element says; name : its data-testid."""
        return self.page.get_by_test_id(name).inner_text()


def browser_path() -> str | None:
    """Where this machine's Chromium is; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def opened(
    url: str,
    width: int = 1280,
    height: int = 900,
    tone: Tone = "light",
    until: str = "equity",
    token: str | None = None,
) -> Iterator[Opened]:
    """A browser of its own on the console, once the element `until` is there; there must be one.

    token : what the console asks for, whose certificate then is of an authority that no browser
    knows. None where nothing is asked.
    """
    complaints = Complaints()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=list(ARGUMENTS))
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme=tone,
            ignore_https_errors=token is not None,
        )
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: complaints.errors.append(str(error)))
        page.on(
            "console",
            lambda line: complaints.note_line(line.type, line.text),
        )
        page.on("request", complaints.note_request)
        page.goto(url)
        if token is not None:
            page.get_by_label("Token").fill(token)
            page.get_by_role("button").click()
        page.get_by_test_id(until).wait_for()
        try:
            yield Opened(page, complaints)
        finally:
            browser.close()
