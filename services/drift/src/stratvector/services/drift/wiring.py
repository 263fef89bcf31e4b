"""The only place that constructs drift's parts."""

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.served import Served
from stratvector.services.drift.adapters.metrics import DriftCollector
from stratvector.services.drift.adapters.report_document import JSON, report_document
from stratvector.services.drift.adapters.report_page import HTML, report_page
from stratvector.services.drift.adapters.rules_file import read_rules
from stratvector.services.drift.board import Boards
from stratvector.services.drift.servicer import drift_servicer
from stratvector.services.drift.session_watch import SessionWatch
from stratvector.services.drift.settings import DriftSettings


def serve(settings: DriftSettings, ports: Ports) -> Service:
    """The watches over each portfolio's models, with what answers for them. Raises CannotStart."""
    rules, served = read_rules(settings.drift_config), Served[SessionWatch]("drift")

    def begin(deployment: Deployment) -> Tasks:
        session = deployment.session
        watch = SessionWatch(ports, session.portfolio, session.start, rules)
        served.add(session.portfolio, watch)
        return Tasks(main=[watch.run()])

    def boards() -> Boards:
        return [(one, watch.board) for one, watch in served.items()]

    return Service(
        begin=begin,
        servicers=[drift_servicer(served)],
        pages={
            "/": lambda: (HTML, report_page(rules, boards())),
            "/report.json": lambda: (JSON, report_document(rules, boards())),
        },
        collectors=[DriftCollector(boards)],
    )
