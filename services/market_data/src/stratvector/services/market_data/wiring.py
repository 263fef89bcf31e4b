"""The only place that constructs market_data's parts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.ports import Ports
from stratvector.services.market_data.recordings import MemoryRecordings, StoredRecordings
from stratvector.services.market_data.replay_store import ReplayStore
from stratvector.services.market_data.settings import MarketDataSettings
from stratvector.services.market_data.universe_feeds import Pace, UniverseFeeds

if TYPE_CHECKING:
    from stratvector.trading.session import Session


def build(deployment: Deployment, ports: Ports, closes_per_s_max: float | None = None) -> Tasks:
    """One replay lane per universe of a session in memory, and what follows its chapters.

    closes_per_s_max : None is as fast as decisions follow.
    """
    sessions = cast("Sequence[Session]", (deployment.session, *deployment.later))
    pace = Pace(deployment.bars_ahead_max, closes_per_s_max)
    recordings = MemoryRecordings(sessions)
    feeds = UniverseFeeds(ports, recordings, pace)
    begun = feeds.replayed(sessions[0], recordings.at(sessions[0]))
    return feeds.watched(deployment.session, begun)


def serve(settings: MarketDataSettings, ports: Ports) -> Service:
    """The same over the bars that each portfolio's chapter names, which are in the store or come
    there when it begins, as far ahead of decisions and as fast as told.
    """
    # The simulated world has no metrics.
    from stratvector.services.market_data.live_collector import LiveCollector

    pace = Pace(settings.bars_ahead_max, settings.closes_per_s_max)
    feeds = UniverseFeeds(ports, StoredRecordings(ReplayStore(settings.store)), pace)
    return Service(
        begin=feeds.begin, collectors=[LiveCollector(lambda: feeds.live)], trouble=feeds.trouble
    )
