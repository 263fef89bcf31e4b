"""Data quality: are closes there in time and whole, and does the venue answer?"""

from grafana.boards.board import Board, Row
from grafana.boards.expressions import PORTFOLIO, PROCESS, per_second
from grafana.boards.panel import CRITICAL, OK, WARNING, Panel, Query
from grafana.boards.shapes import figure, stacked, states

LAST_CLOSE = f"max by (universe, timeframe) (stratvector_feed_last_close_seconds{PROCESS})"
AGE = f"time() - ({LAST_CLOSE} > 0)"
FEED = "{{universe}} {{timeframe}}"
CANDLES = (
    ("missing", "Candles that a close was published without.", "CandlesMissing"),
    ("late", "Of the missing ones, those that came after their close.", "CandlesMissing"),
    ("corrected", "Candles that the venue told otherwise after their close.", "CandlesMissing"),
    ("refused", "Candles that broke a rule and count as missing.", "CandlesRefused"),
)


def _candles(kind: str, window: str) -> str:
    name = f"stratvector_feed_{kind}_candles_total{PROCESS}"
    return f"sum by (universe, timeframe) (increase({name}[{window}]))"


def _venue(kind: str) -> str:
    return per_second(f"stratvector_venue_{kind}_total", "venue")


AT_A_GLANCE = Row(
    "At a glance",
    (
        Panel(
            title="Age of the newest close",
            text="Time since the newest close of a live feed; one bar and its deadline are usual.",
            unit="s",
            shape=figure,
            queries=[Query(AGE, FEED)],
            page="MarketDataStale",
            width=8,
            height=5,
        ),
        *(
            Panel(
                title=f"Candles {kind}",
                text=f"{text} In the time shown.",
                unit="none",
                shape=figure,
                steps=[(1, WARNING)],
                queries=[Query(f"sum({_candles(kind, '$__range')})", kind)],
                page=page,
                width=4,
                height=5,
            )
            for kind, text, page in CANDLES
        ),
    ),
)

FEEDS = Row(
    "Feeds",
    (
        Panel(
            title="Closes",
            text="Closes of each live feed that were published in the last hour, and of these the "
            "ones that were read from the venue's history after their deadline.",
            unit="none",
            low=0,
            queries=[
                Query(
                    "sum by (universe, timeframe) "
                    f"(increase(stratvector_feed_closes_total{PROCESS}[1h]))",
                    FEED,
                ),
                Query(
                    "sum by (universe, timeframe) "
                    f"(increase(stratvector_feed_filled_closes_total{PROCESS}[1h]))",
                    f"{FEED} from history",
                ),
            ],
            page="MarketDataStale",
            traces_of="market_data",
        ),
        Panel(
            title="Age of the newest close over time",
            text="Falls at each close; a line that keeps climbing is a feed that stands still.",
            unit="s",
            low=0,
            queries=[Query(AGE, FEED)],
            page="MarketDataStale",
            traces_of="market_data",
        ),
        Panel(
            title="Candles with something wrong",
            text="Candles of the last hour that were missing, late, corrected or refused.",
            unit="none",
            low=0,
            queries=[Query(_candles(kind, "1h"), f"{FEED} {kind}") for kind, _, _ in CANDLES],
            page="CandlesMissing",
        ),
        Panel(
            title="Universes that decisions went without",
            text="Whether a portfolio's newest decision went without the bars of a universe; none "
            "in replays.",
            unit="none",
            shape=states,
            names=[(0, "there", OK), (1, "absent", CRITICAL)],
            queries=[
                Query(
                    f"max by (portfolio, run, universe) (stratvector_universe_absent{PORTFOLIO})",
                    "{{portfolio}} {{run}} {{universe}}",
                )
            ],
            page="UniverseAbsent",
        ),
    ),
)

VENUES = Row(
    "Venues",
    (
        Panel(
            title="Requests to venues",
            text="Requests per second, and of these the ones sent again after a failed one.",
            unit="reqps",
            low=0,
            shape=stacked,
            queries=[
                Query(_venue("requests"), "{{venue}} requests"),
                Query(_venue("retries"), "{{venue}} retries"),
            ],
            page="VenueUnreachable",
            width=8,
        ),
        Panel(
            title="Answers that told to wait",
            text="Answers per second by which a venue limits our rate.",
            unit="reqps",
            low=0,
            queries=[Query(_venue("throttled"), "{{venue}}")],
            page="VenueUnreachable",
            width=8,
        ),
        Panel(
            title="Requests without a fit answer",
            text="Share of the requests that timed out, were reset or answered with an error.",
            unit="percentunit",
            low=0,
            high=1,
            steps=[(0.1, WARNING), (0.5, CRITICAL)],
            queries=[Query(f"{_venue('unreachable')} / {_venue('requests')}", "{{venue}}")],
            page="VenueUnreachable",
            width=8,
        ),
    ),
)

DATA_QUALITY = Board(
    name="data_quality",
    title="Data Quality",
    text="Closes in time and whole, candles with something wrong, venues that answer.",
    choices=("service", "instance", "portfolio", "run"),
    rows=(AT_A_GLANCE, FEEDS, VENUES),
)
