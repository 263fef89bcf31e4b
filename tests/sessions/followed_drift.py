"""Drift over a finished run: what it keeps must be what the closes of the log give it."""

from stratvector.drift import DriftRules, ModelWatch
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.services.drift.session_watch import SessionWatch
from stratvector.trading.logged import LoggedClose
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow

RULES = DriftRules(1, 100, 100, 4)


def assert_drift_follows(flow: Flow) -> tuple[LoggedClose, ...]:
    """Late bars with the returns of what was held, signals as decisions used them; the closes."""
    session, watches = flow.session, list[SessionWatch]()

    def build(ports: Ports) -> Tasks:
        watches.append(SessionWatch(ports, session.portfolio, session.start, RULES))
        return Tasks([watches[-1].run()])

    flow.world.add("drift", build)
    flow.world.run(until=["drift"])
    log = log_of(flow.world.bus, session)
    closes = log.closes
    renewed = {
        (one.noun.carried.close_time, name)
        for one in log.chapters
        if one.noun.carried is not None
        for name in one.renewed
    }
    for model in session.portfolio.models:
        symbols = session.portfolio.universe(model.universe).symbols
        watch = ModelWatch(model.name, symbols, RULES)
        for close in closes:
            for one in close.earlier:
                if one.bars.noun.universe == model.universe:
                    watch.take_late(one.bars.noun)
            if (bars := close.bars.get(model.universe)) is not None:
                used = close.signals.get(model.name)
                watch.take(bars.noun, None if used is None else used.noun)
            if (close.close_time, model.name) in renewed:
                watch.begin_anew()
        assert repr(watches[-1]._watches[model.name].state) == repr(watch.state)
    return closes
