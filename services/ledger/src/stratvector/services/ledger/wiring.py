"""The only place that constructs ledger's parts."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.ports import LedgerConflict, LedgerStore, Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.served import Served
from stratvector.services.ledger.record import PortfolioRecord

if TYPE_CHECKING:
    from stratvector.services.ledger.settings import LedgerSettings


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """The record of the session's portfolio, in the deployment's store."""
    return _tasks(deployment, ports, deployment.ledger_store)


def serve(settings: "LedgerSettings", ports: Ports) -> Service:
    """The records in one database, with what answers questions about them. Raises BadDatabase."""
    # The simulated world builds a record without a database, and need not wait for these.
    from stratvector.services.ledger.adapters.database import LedgerDatabase
    from stratvector.services.ledger.adapters.sql_store import SqlLedgerStore
    from stratvector.services.ledger.adapters.traced_store import RecordSpans, TracedLedgerStore
    from stratvector.services.ledger.portfolio_chapters import PortfolioChapters
    from stratvector.services.ledger.servicer import ledger_servicer

    database = LedgerDatabase(settings.database(), password_file=settings.database_password_file)
    if not database.is_on_server:
        database.prepare()  # a server may come later: it is prepared by whoever needs it first
    spans = None if ports.spans is None else RecordSpans(ports.spans)
    store = SqlLedgerStore(database, on_written=None if spans is None else spans.written)
    told = store if spans is None else TracedLedgerStore(store, spans)
    served = Served[PortfolioChapters]("the ledger")

    def begin(deployment: Deployment) -> Tasks:
        portfolio = deployment.session.portfolio
        served.add(portfolio, PortfolioChapters(portfolio, ports.bus))
        return _tasks(deployment, ports, told)

    return Service(
        begin=begin,
        main=[store.write()],
        servicers=[ledger_servicer(database, served)],
        trouble=store.trouble,
        close=database.close,
    )


def _tasks(deployment: Deployment, ports: Ports, store: LedgerStore) -> Tasks:
    session = deployment.session

    def make() -> Tasks:
        record = PortfolioRecord(ports, session.portfolio, session.start, store)
        return Tasks([_told(record.run)], [record.lane])

    return Tasks.of([make])


async def _told(work: Callable[[], Awaitable[None]]) -> None:
    """A record that is not the log's is a sentence for a person, no defect."""
    try:
        await work()
    except LedgerConflict as error:
        raise CannotStart(str(error)) from error
