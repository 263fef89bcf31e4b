"""The only place that constructs drift's parts."""

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.services.drift.adapters.metrics import DriftCollector
from stratvector.services.drift.adapters.report_document import JSON, report_document
from stratvector.services.drift.adapters.report_page import HTML, report_page
from stratvector.services.drift.adapters.rules_file import read_rules
from stratvector.services.drift.servicer import drift_servicer
from stratvector.services.drift.session_watch import SessionWatch
from stratvector.services.drift.settings import DriftSettings


def build(settings: DriftSettings, deployment: Deployment, ports: Ports) -> Tasks:
    """The watch over the session's models, with what answers for it. Raises CannotStart."""
    session, rules = deployment.session, read_rules(settings.drift_config)
    portfolio = session.portfolio
    watch = SessionWatch(ports, portfolio, session.start, rules)
    told = (portfolio.name, rules, watch.board)
    return Tasks(
        main=[watch.run()],
        servicers=[drift_servicer(watch)],
        pages={
            "/": lambda: (HTML, report_page(*told)),
            "/report.json": lambda: (JSON, report_document(*told)),
        },
        collectors=[DriftCollector(watch.board)],
    )
