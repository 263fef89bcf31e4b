"""Flow: how fast does each hop go, how late is the newest close, and who owns the lanes?"""

from grafana.boards.board import Board, Row
from grafana.boards.expressions import PROCESS, buckets, per_second, percentile
from grafana.boards.panel import CRITICAL, OK, WARNING, Panel, Query
from grafana.boards.shapes import figure, heat, stacked, states

# A subject begins with its noun: bars.live.1.crypto.4h.
NOUN = '"noun", "$1", "subject", "([a-z]+)[.].*"'


def _by_noun(counter: str) -> str:
    return f"label_replace(rate({counter}[$__rate_interval]), {NOUN})"


PUBLISHED = _by_noun(f"stratvector_messages_published_total{PROCESS}")
RECEIVED = _by_noun(f"stratvector_messages_received_total{PROCESS}")
# A ratio needs the publishers even where only the readers were chosen.
ALL_PUBLISHED = _by_noun("stratvector_messages_published_total")
STORING = "stratvector_publish_seconds"
WAITED = "stratvector_message_wait_seconds"
LAST_CLOSE = f"max by (universe, timeframe) (stratvector_feed_last_close_seconds{PROCESS})"
LANE_CLOSE = f"stratvector_lane_close_seconds{PROCESS}"
# The decisions' lane names portfolio and run: orders.<mode>.<number>.<portfolio>.
_RUN = '"run", "$1", "lane", "orders[.]([^.]+[.][^.]+)[.].+"'
_PORTFOLIO = '"portfolio", "$1", "lane", "orders[.][^.]+[.][^.]+[.](.+)"'
_DECIDED = 'stratvector_lane_close_seconds{lane=~"orders[.].+"}'
LEDGER_LAG = (
    f"max by (portfolio, run) (label_replace(label_replace({_DECIDED}, {_RUN}), {_PORTFOLIO})) "
    "- max by (portfolio, run) (stratvector_ledger_close_seconds)"
)
OWNERS = f"sum by (lane) (stratvector_lane_owner{PROCESS})"

HOPS = Row(
    "Hops",
    (
        Panel(
            title="Messages stored",
            text="Messages per second that each service stored on the bus, by noun.",
            unit="mps",
            low=0,
            shape=stacked,
            queries=[Query(f"sum by (job, noun) ({PUBLISHED})", "{{job}} {{noun}}")],
            page="ReaderStalled",
            traces_of="market_data",
        ),
        Panel(
            title="Messages taken",
            text="Messages per second that each service took from the bus, by noun.",
            unit="mps",
            low=0,
            shape=stacked,
            queries=[Query(f"sum by (job, noun) ({RECEIVED})", "{{job}} {{noun}}")],
            page="ReaderStalled",
            traces_of="risk",
        ),
        Panel(
            title="Taken for each one stored",
            text="Of each noun, messages that a service took for each message stored by anybody. "
            "The level depends on portfolios and replicas and is steady; a fall means that the "
            "reader does not keep up, a rise that it reads what it missed.",
            unit="none",
            low=0,
            queries=[
                Query(
                    f"sum by (job, noun) ({RECEIVED}) / on (noun) "
                    f"group_left () (sum by (noun) ({ALL_PUBLISHED}) > 0)",
                    "{{job}} {{noun}}",
                )
            ],
            page="ReaderStalled",
        ),
        Panel(
            title="Delay of the newest close",
            text="Time since the newest close that a live feed published; one bar and its deadline "
            "are usual. Nothing in replays.",
            unit="s",
            low=0,
            queries=[Query(f"time() - ({LAST_CLOSE} > 0)", "{{universe}} {{timeframe}}")],
            page="MarketDataStale",
            traces_of="market_data",
        ),
    ),
)

BUS = Row(
    "Bus",
    (
        Panel(
            title="Time to store a message",
            text="From a publish to the answer of the bus, 99th percentile of each service.",
            unit="s",
            low=0,
            steps=[(1, CRITICAL)],
            queries=[Query(percentile(99, STORING, "job"), "{{job}} 99 %")],
            page="PublishSlow",
            traces_of="execution",
        ),
        Panel(
            title="Distribution of the time to store",
            text="Publishes of all services by their time to the answer.",
            unit="s",
            shape=heat,
            queries=[
                Query(
                    buckets(STORING),
                    "{{le}}",
                )
            ],
            page="PublishSlow",
        ),
        Panel(
            title="Messages that wait",
            text="Messages that were stored and that a service has not taken yet, on average. "
            "Where it also waits for others, such as risk for fills, those wait too that came "
            "before; a replay keeps up to 64 bars of each portfolio ahead.",
            unit="none",
            low=0,
            queries=[Query(per_second(f"{WAITED}_sum", "job, noun"), "{{job}} {{noun}}")],
            page="ReaderStalled",
        ),
        Panel(
            title="Time that a message waits",
            text="From its storage until the reader takes it, 95th percentile, by noun.",
            unit="s",
            low=0,
            queries=[Query(percentile(95, WAITED, "job, noun"), "{{job}} {{noun}}")],
            page="ReaderStalled",
        ),
        Panel(
            title="Spans",
            text="Ended spans per second that a collector took or that were dropped; only where "
            "traces are on.",
            unit="cps",
            low=0,
            queries=[
                Query(
                    per_second("stratvector_telemetry_spans_total", "job, outcome"),
                    "{{job}} {{outcome}}",
                )
            ],
            page="SpansDropped",
        ),
        Panel(
            title="Messages in quarantine over time",
            text="Messages that could not be processed since each process started.",
            unit="none",
            low=0,
            steps=[(1, CRITICAL)],
            queries=[
                Query(f"sum by (job) (stratvector_quarantined_messages_total{PROCESS})", "{{job}}")
            ],
            page="MessageQuarantined",
        ),
    ),
)

LANES = Row(
    "Lanes",
    (
        Panel(
            title="Lanes without an owner",
            text="Lanes of which every process that knows them only stands by.",
            unit="none",
            shape=figure,
            steps=[(1, CRITICAL)],
            queries=[Query(f"count({OWNERS} == 0) or vector(0)", "lanes")],
            page="LaneWithoutOwner",
            width=4,
        ),
        Panel(
            title="Owners of each lane",
            text="Processes that call themselves owner: one, but for the seconds of a hand-over.",
            unit="none",
            shape=states,
            names=[(0, "none", CRITICAL), (1, "one", OK), (2, "two", WARNING)],
            queries=[Query(OWNERS, "{{lane}}")],
            page="LaneContested",
            width=12,
        ),
        Panel(
            title="Lanes of each process",
            text="Lanes that each process owns.",
            unit="none",
            low=0,
            shape=stacked,
            queries=[
                Query(
                    f"sum by (job, instance) (stratvector_lane_owner{PROCESS})",
                    "{{job}} {{instance}}",
                )
            ],
            page="LaneWithoutOwner",
            width=8,
        ),
        Panel(
            title="Newest close of each lane",
            text="Event time of the newest close that a lane's owner stored; the lane of a service "
            "that is behind is below those that it reads.",
            unit="dateTimeAsIso",
            queries=[Query(f"max by (lane) ({LANE_CLOSE}) * 1000", "{{lane}}")],
            page="ReaderStalled",
        ),
        Panel(
            title="Lag of the ledger",
            text="Event time from the newest close in the ledger's database to the newest "
            "decision. A replay is ahead of its record at any time; what only grows is stuck.",
            unit="s",
            low=0,
            queries=[Query(LEDGER_LAG, "{{portfolio}} {{run}}")],
            page="LedgerBehind",
        ),
        Panel(
            title="Hand-overs",
            text="Changes of a lane's newest epoch in the last ten minutes.",
            unit="none",
            low=0,
            width=24,
            queries=[
                Query(
                    f"changes((max by (lane) (stratvector_lane_epoch{PROCESS}))[10m:]) > 0",
                    "{{lane}}",
                )
            ],
            page="LaneContested",
        ),
    ),
)

FLOW = Board(
    name="flow",
    title="Flow",
    text="Rate of each hop, delay of the newest close, the bus, and the lanes with their owners.",
    choices=("service", "instance"),
    rows=(HOPS, BUS, LANES),
    since="now-1h",
)
