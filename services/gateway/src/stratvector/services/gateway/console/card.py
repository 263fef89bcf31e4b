"""card: what every part of the page is: elements that are made once and refreshed when it pays."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from nicegui import ui


class Card(Protocol):
    """A part of the page."""

    def refresh(self) -> None:
        """Show what is known now; costs nothing when nothing changed."""


@contextmanager
def framed(title: str, name: str) -> Iterator[None]:
    """A box with a heading. name : for tests and styles."""
    with ui.element("section").classes("card").props(f'data-testid="{name}-card"'):
        ui.html(f"<h2>{title}</h2>", sanitize=False)
        yield


class HtmlCard:
    """HTML that is spelled anew when its version changed.

    version : of what it shows. spell : the HTML; it escapes what comes from elsewhere. classes :
    of its element.
    """

    def __init__(
        self, version: Callable[[], object], spell: Callable[[], str], classes: str = ""
    ) -> None:
        self._version, self._spell = version, spell
        self._shown = version()
        self._element = ui.html(spell(), sanitize=False).classes(classes)

    def refresh(self) -> None:
        """Spell it anew if it changed."""
        version = self._version()
        if version != self._shown:
            self._shown = version
            self._element.set_content(self._spell())
