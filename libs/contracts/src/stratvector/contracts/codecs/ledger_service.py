"""The ledger's answers as messages of `LedgerService` and back: `…_message` on the way out, `…_of`
on the way in, which raises ValueError.

Cash and equity are rounded half-even to 1e-8: all their digits are in the database only. Lots per
model keep the configuration's order.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from stratvector.contracts.codecs.derived import Exceptions, derived
from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.trading.ledger import rounded_money
from stratvector.trading.ledger_answers import (
    AccountCash,
    EquityRecord,
    FillRecord,
    HeldPositions,
    LedgerStatus,
    ModelEquity,
    ModelResult,
    OrderRecord,
    PositionRecord,
)


def _rounded(*names: str) -> Mapping[str, Any]:
    return dict.fromkeys(names, rounded_money)


_PARTS = Exceptions(in_own_order=frozenset({"parts"}))
EXCEPTIONS: Final[Mapping[type[Any], Exceptions]] = MappingProxyType(
    {
        LedgerStatus: Exceptions(
            prepared=_rounded("cash", "equity"), in_own_order=frozenset({"lot_sizes"})
        ),
        OrderRecord: _PARTS,
        FillRecord: _PARTS,
        PositionRecord: _PARTS,
        EquityRecord: Exceptions(prepared=_rounded("cash", "equity")),
        AccountCash: Exceptions(prepared=_rounded("cash")),
        ModelEquity: Exceptions(prepared=_rounded("cash", "commission", "equity")),
        ModelResult: Exceptions(prepared=_rounded("profit", "commission")),
    }
)

_STATUS = derived(LedgerStatus, pb.LedgerStatus, EXCEPTIONS)
_ORDER = derived(OrderRecord, pb.OrderRecord, EXCEPTIONS)
_FILL = derived(FillRecord, pb.FillRecord, EXCEPTIONS)
_EQUITY = derived(EquityRecord, pb.EquityRecord, EXCEPTIONS)
_POSITIONS = derived(HeldPositions, pb.QueryPositionsResponse, EXCEPTIONS)
_RESULT = derived(ModelResult, pb.ModelResult, EXCEPTIONS)

status_message, status_of = _STATUS.to_wire, _STATUS.from_wire
order_message, order_of = _ORDER.to_wire, _ORDER.from_wire
fill_message, fill_of = _FILL.to_wire, _FILL.from_wire
equity_message, equity_of = _EQUITY.to_wire, _EQUITY.from_wire
positions_message, positions_of = _POSITIONS.to_wire, _POSITIONS.from_wire
result_message, result_of = _RESULT.to_wire, _RESULT.from_wire
