"""System Overview: are the processes there, and what do they use?"""

from grafana.boards.board import Board, Row
from grafana.boards.expressions import EACH_PROCESS, PROCESS, buckets, per_second
from grafana.boards.panel import CRITICAL, OK, WARNING, Panel, Query
from grafana.boards.shapes import figure, heat, stacked, states

UP = f"sum by (job) (up{PROCESS})"
RESIDENT_BYTES = f"process_resident_memory_bytes{PROCESS}"
GIGABYTE = 1e9
DAY_SECONDS = 86_400

AT_A_GLANCE = Row(
    "At a glance",
    (
        Panel(
            title="Processes up",
            text="Processes that Prometheus could scrape last time.",
            unit="none",
            shape=figure,
            width=4,
            height=4,
            queries=[Query(f"sum(up{PROCESS})", "up")],
            page="ServiceDown",
        ),
        Panel(
            title="Processes down",
            text="Processes that Prometheus expects and could not scrape.",
            unit="none",
            shape=figure,
            width=4,
            height=4,
            steps=[(1, CRITICAL)],
            queries=[Query(f"count(up{PROCESS} == 0) or vector(0)", "down")],
            page="ServiceDown",
        ),
        Panel(
            title="Restarts",
            text="Starts of processes at an address that had one before, in the time shown. "
            "Monte Carlo exposes no start time.",
            unit="none",
            shape=figure,
            width=4,
            height=4,
            steps=[(1, WARNING), (5, CRITICAL)],
            queries=[
                Query(
                    f"sum(changes(process_start_time_seconds{PROCESS}[$__range]))",
                    "restarts",
                )
            ],
            page="ProcessRestarting",
        ),
        Panel(
            title="Largest process",
            text="The most resident memory of one process.",
            unit="bytes",
            shape=figure,
            width=4,
            height=4,
            steps=[(0.8 * GIGABYTE, WARNING), (GIGABYTE, CRITICAL)],
            queries=[Query(f"max({RESIDENT_BYTES})", "resident")],
            page="ProcessMemoryHigh",
        ),
        Panel(
            title="Processors in use",
            text="Processors that all processes together keep busy.",
            unit="none",
            shape=figure,
            width=4,
            height=4,
            queries=[
                Query(
                    f"sum(rate(process_cpu_seconds_total{PROCESS}[$__rate_interval]))",
                    "processors",
                )
            ],
        ),
        Panel(
            title="Messages in quarantine",
            text="Messages that could not be processed; each stops its lane.",
            unit="none",
            shape=figure,
            width=4,
            height=4,
            steps=[(1, CRITICAL)],
            queries=[Query(f"sum(stratvector_quarantined_messages_total{PROCESS})", "messages")],
            page="MessageQuarantined",
        ),
    ),
)

PROCESSES = Row(
    "Processes",
    (
        Panel(
            title="Memory of each process",
            text="Resident memory; the alert is at 1 GB for 5 minutes. Monte Carlo exposes none.",
            unit="bytes",
            low=0,
            steps=[(GIGABYTE, CRITICAL)],
            queries=[Query(RESIDENT_BYTES, EACH_PROCESS)],
            page="ProcessMemoryHigh",
        ),
        Panel(
            title="CPU of each process",
            text="Share of one processor that a process keeps busy.",
            unit="percentunit",
            low=0,
            queries=[
                Query(
                    f"rate(process_cpu_seconds_total{PROCESS}[$__rate_interval])",
                    EACH_PROCESS,
                )
            ],
        ),
        Panel(
            title="Up",
            text="Processes of each service that could be scraped.",
            unit="none",
            shape=states,
            base=CRITICAL,
            steps=[(1, OK)],
            queries=[Query(UP, "{{job}}")],
            page="ServiceDown",
        ),
        Panel(
            title="Age of each process",
            text="Time since a process started; a fall to zero is a restart.",
            unit="s",
            low=0,
            queries=[
                Query(
                    f"time() - process_start_time_seconds{PROCESS}",
                    EACH_PROCESS,
                )
            ],
            page="ProcessRestarting",
        ),
        Panel(
            title="File descriptors in use",
            text="Open files and sockets, as a share of what the process may open.",
            unit="percentunit",
            low=0,
            steps=[(0.8, WARNING), (0.95, CRITICAL)],
            queries=[
                Query(
                    f"process_open_fds{PROCESS} / process_max_fds{PROCESS}",
                    EACH_PROCESS,
                )
            ],
            page="FileDescriptorsLow",
        ),
        Panel(
            title="Certificates",
            text="Time until the certificate of each process ends; only those with TLS have one.",
            unit="s",
            steps=[(2 * DAY_SECONDS, WARNING), (14 * DAY_SECONDS, OK)],
            base=CRITICAL,
            queries=[
                Query(
                    f"stratvector_certificate_expires_seconds{PROCESS} - time()",
                    EACH_PROCESS,
                )
            ],
            page="CertificateExpiring",
        ),
        Panel(
            title="Garbage collections of Python",
            text="Collections of each service, by generation.",
            unit="ops",
            low=0,
            queries=[
                Query(
                    per_second("python_gc_collections_total", "job, generation"),
                    "{{job}} {{generation}}",
                )
            ],
        ),
    ),
)

OUTSIDE = Row(
    "Console, API and research",
    (
        Panel(
            title="Requests of the gateway",
            text="Requests that were answered, by status.",
            unit="reqps",
            low=0,
            shape=stacked,
            width=6,
            queries=[
                Query(
                    per_second("stratvector_gateway_requests_total", "status"),
                    "{{status}}",
                )
            ],
        ),
        Panel(
            title="Logins",
            text="Tokens that were shown on the login page of the gateway, right or wrong.",
            unit="cps",
            low=0,
            shape=stacked,
            width=6,
            queries=[
                Query(per_second("stratvector_gateway_logins_total", "outcome"), "{{outcome}}")
            ],
        ),
        Panel(
            title="Open WebSockets",
            text="Clients of the console that are connected to each gateway.",
            unit="none",
            low=0,
            width=6,
            queries=[Query(f"stratvector_gateway_websocket_clients{PROCESS}", "{{instance}}")],
        ),
        Panel(
            title="Research jobs",
            text="Backtests on disk by state, and the clients that follow one.",
            unit="none",
            low=0,
            width=6,
            queries=[
                Query(f"sum by (state) (stratvector_research_jobs{PROCESS})", "{{state}}"),
                Query(f"sum(stratvector_research_followers{PROCESS})", "followers"),
            ],
            page="ResearchQueueLong",
        ),
        Panel(
            title="Time of a backtest",
            text="How long research jobs took.",
            unit="s",
            shape=heat,
            width=24,
            queries=[
                Query(
                    buckets("stratvector_research_job_seconds"),
                    "{{le}}",
                )
            ],
        ),
    ),
)

SYSTEM = Board(
    name="system",
    title="System Overview",
    text="Memory, CPU, restarts and descriptors of each process; requests of the gateway; jobs.",
    choices=("service", "instance"),
    rows=(AT_A_GLANCE, PROCESSES, OUTSIDE),
)
