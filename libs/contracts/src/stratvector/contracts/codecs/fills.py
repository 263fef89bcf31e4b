"""fills: `FillsReport`, what the broker did with approved orders."""

from stratvector.contracts.codecs.decimals import read_decimal, write_decimal
from stratvector.contracts.codecs.enumerations import both_ways
from stratvector.contracts.codecs.payload import decoded, encoded, refuse_nameless
from stratvector.contracts.v1 import fills_pb2
from stratvector.trading.fills import FillEvent, FillKind, FillsReport
from stratvector.trading.meaning.fills import check_report

KIND_TO_WIRE, KIND_FROM_WIRE = both_ways(
    "FillKind",
    {
        FillKind.SENDING: fills_pb2.FILL_KIND_SENDING,
        FillKind.ACCEPTED: fills_pb2.FILL_KIND_ACCEPTED,
        FillKind.UNKNOWN: fills_pb2.FILL_KIND_UNKNOWN,
        FillKind.FILLED: fills_pb2.FILL_KIND_FILLED,
        FillKind.REJECTED: fills_pb2.FILL_KIND_REJECTED,
        FillKind.CANCELLED: fills_pb2.FILL_KIND_CANCELLED,
        FillKind.EXPIRED: fills_pb2.FILL_KIND_EXPIRED,
        FillKind.ABANDONED: fills_pb2.FILL_KIND_ABANDONED,
    },
)


def encode_fills_report(report: FillsReport) -> bytes:
    """The payload of one report. Raises BadMessage."""
    return encoded("fills", _to_wire, report)


def decode_fills_report(payload: bytes) -> FillsReport:
    """The report in a payload. Raises BadMessage."""
    return decoded("fills", fills_pb2.FillsReport, _from_wire, payload)


def _to_wire(report: FillsReport) -> fills_pb2.FillsReport:
    refuse_nameless(portfolio=report.portfolio, account=report.account)
    wire = fills_pb2.FillsReport()
    wire.portfolio = report.portfolio
    wire.account = report.account
    wire.number = report.number
    for event in report.events:
        _write_event(wire.events.add(), event)
    if report.closed is not None:
        wire.closed_ns = report.closed
    return wire


def _write_event(wire: fills_pb2.FillEvent, event: FillEvent) -> None:
    wire.kind = KIND_TO_WIRE[event.kind]
    wire.order_id = event.order_id
    wire.symbol = event.symbol
    wire.epoch = event.epoch
    wire.execution_id = event.execution_id
    wire.lots = event.lots
    write_decimal(wire, "price", event.price)
    write_decimal(wire, "commission", event.commission)
    write_decimal(wire, "slippage", event.slippage)
    wire.fill_time_ns = event.fill_time
    wire.known_time_ns = event.known_time
    wire.text = event.text


def _from_wire(wire: fills_pb2.FillsReport) -> FillsReport:
    refuse_nameless(portfolio=wire.portfolio, account=wire.account)
    report = FillsReport(
        portfolio=wire.portfolio,
        account=wire.account,
        number=wire.number,
        events=tuple(map(_read_event, wire.events)),
        closed=wire.closed_ns if wire.HasField("closed_ns") else None,
    )
    check_report(report)
    return report


def _read_event(wire: fills_pb2.FillEvent) -> FillEvent:
    return FillEvent(
        kind=KIND_FROM_WIRE[wire.kind],
        order_id=wire.order_id,
        symbol=wire.symbol,
        epoch=wire.epoch,
        execution_id=wire.execution_id,
        lots=wire.lots,
        price=read_decimal(wire, "price"),
        commission=read_decimal(wire, "commission"),
        slippage=read_decimal(wire, "slippage"),
        fill_time=wire.fill_time_ns,
        known_time=wire.known_time_ns,
        text=wire.text,
    )
