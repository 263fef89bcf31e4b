"""signals_reader: one model's signals, asked close by close: all of them, or those that a decision
used.
"""

from collections import deque
from collections.abc import Mapping, Sequence

from stratvector.contracts.codecs import decode_signals
from stratvector.runtime.inbox import POLL_SECONDS
from stratvector.runtime.ports import Ports
from stratvector.runtime.readers import Reader, Received, carried_sequence
from stratvector.runtime.unfit_messages import OtherChapterSignals, refuse_other_close
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import FIRST
from stratvector.trading.lanes import signals_lane
from stratvector.trading.logged import Logged
from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.signals import check_signals_of
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.signals import Signals


class SignalsReader(Reader[Signals]):
    """One model's `signals` lane in one chapter. What the model said ahead of the chapter's opening
    it says again in the chapter, so the older words are passed over; and so are signals that a
    decision went without, if they ever come.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        model: str,
        follows: bool = False,
        chapter: int = FIRST,
        carried: Carried | None = None,
    ) -> None:
        lane, own = signals_lane(portfolio, model), Own.of(portfolio)
        self._own, self._model, self._chapter = own, model, chapter
        self._clock, self._late = ports.clock, deque[int]()
        after = carried_sequence(carried, lane)
        super().__init__(ports, lane, decode_signals, self._refuse, follows, after)

    async def at(self, close_time: int) -> Received[Signals]:
        """The chapter's next message that no decision went without, which must be of that close.
        Raises OutOfStep.
        """
        while (received := self._current(close_time, await self.next())) is None:
            pass
        return received

    async def by(self, close_time: int, until_seconds: float) -> Received[Signals] | None:
        """The same if it is in the log by a time of the monotonic clock; None when it is late, and
        then it is passed over. Only who decides may ask, as it is judged once.
        """
        while True:
            left = until_seconds - self._clock.monotonic_seconds()
            # Who was away hears nothing, and has the time behind him: the log says what came.
            there = await (self.look(min(left, POLL_SECONDS)) if left > 0 else self.look_in_log())
            if there:
                received = self._current(close_time, await self.next())
                if received is not None:
                    return received
            elif left <= 0:
                self.pass_over(close_time)
                return None

    def pass_over(self, close_time: int) -> None:
        """The decision of a close went without this model's signals, which may come or not."""
        self._late.append(close_time)

    def _current(self, close_time: int, received: Received[Signals]) -> Received[Signals] | None:
        """A message of the close that is asked for, None for one to pass over. Raises OutOfStep."""
        found = received.noun.close_time
        if received.noun.chapter < self._chapter:
            return None
        while self._late and self._late[0] <= found:
            if self._late.popleft() == found:
                return None
        refuse_other_close(self.lane, close_time, found)
        return received

    def _refuse(self, signals: Signals) -> None:
        """Raises Absurd, OtherRows or OtherChapterSignals."""
        if signals.chapter > self._chapter:
            raise OtherChapterSignals(self.lane, self._chapter, signals.chapter)
        if signals.chapter == self._chapter:
            check_signals_of(signals, self._own, self._model)


def pass_over_late(
    readers: Mapping[str, SignalsReader], portfolio: Portfolio, late: Sequence[Logged[ClosedBars]]
) -> None:
    """What models make of bars that came late no decision uses; it may come or not."""
    for received in late:
        for model in portfolio.signalling([received.noun.universe]):
            readers[model.name].pass_over(received.noun.close_time)


async def used_signals(
    readers: Mapping[str, SignalsReader], models: Sequence[ModelAllocation], decision: Decision
) -> dict[str, Received[Signals]]:
    """What a decision used, by model, of those whose universe closes. Who follows a decision judges
    nothing: what it went without is passed over. Raises OutOfStep.
    """
    used = dict[str, Received[Signals]]()
    for model in models:
        if decision.cut.is_late(model.name):
            readers[model.name].pass_over(decision.close_time)
        else:
            used[model.name] = await readers[model.name].at(decision.close_time)
    return used
