"""Sessions that are changed while they run, and who applies them one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stratvector.runtime.applying import apply
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.chapters import newest_chapter
from stratvector.runtime.documents import Documents, Wish
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.trading.portfolio import ModelAllocation
from stratvector.trading.session import Session
from stratvector.trading.strategy import Strategy


@dataclass
class Applying:
    """Applies changed sessions one after the other, and notes what came of each. applied : how many
    so far, which outlives a crash. patience_seconds : how long each is waited for until it holds.
    """

    wishes: Sequence[Wish]
    pause_seconds: float
    refusals: list[str]
    applied: int = 0
    patience_seconds: float = 0.0

    def __call__(self, ports: Ports) -> Tasks:
        return Tasks([self.run(ports)])

    async def run(self, ports: Ports) -> None:
        assert ports.documents is not None
        documents = Documents(ports.documents)
        while self.applied < len(self.wishes):
            await ports.clock.sleep(self.pause_seconds)
            try:
                await apply(ports.bus, documents, self.wishes[self.applied])
            except OtherChapter as error:
                self.refusals.append(str(error))
            await self._wait(ports, self.wishes[self.applied])
            self.applied += 1

    async def _wait(self, ports: Ports, wish: Wish) -> None:
        deadline = ports.clock.monotonic_seconds() + self.patience_seconds
        while ports.clock.monotonic_seconds() < deadline:
            standing = await newest_chapter(ports.bus, wish.run, wish.portfolio)
            if standing is not None and standing.chapter.document == wish.document:
                return
            await ports.clock.sleep(self.pause_seconds)


def with_model(
    session: Session, model: ModelAllocation, strategy: Strategy, place: int = 0
) -> Session:
    """One more model, anywhere among the others."""
    models = [*session.portfolio.models]
    models.insert(place, model)
    portfolio = replace(session.portfolio, models=tuple(models))
    return replace(
        session, portfolio=portfolio, strategies={**session.strategies, model.name: strategy}
    )


def without_model(session: Session, name: str) -> Session:
    """All but one."""
    models = tuple(one for one in session.portfolio.models if one.name != name)
    strategies = {one: s for one, s in session.strategies.items() if one != name}
    portfolio = replace(session.portfolio, models=models)
    return replace(session, portfolio=portfolio, strategies=strategies)
