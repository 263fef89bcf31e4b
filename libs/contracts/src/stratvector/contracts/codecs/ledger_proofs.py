"""The ledger's explanations, rejections and verifications as messages of its service, and back."""

from stratvector.contracts.codecs.decimals import read_decimal, write_decimal
from stratvector.contracts.codecs.enumerations import both_ways
from stratvector.contracts.codecs.ledger_service import (
    fill_message,
    fill_of,
    order_message,
    order_of,
)
from stratvector.contracts.codecs.orders import (
    OUTCOME_FROM_WIRE,
    OUTCOME_TO_WIRE,
    REASON_FROM_WIRE,
    REASON_TO_WIRE,
)
from stratvector.contracts.codecs.signals import (
    ACTION_FROM_WIRE,
    ACTION_TO_WIRE,
)
from stratvector.contracts.codecs.signals import REASON_FROM_WIRE as SIGNAL_REASON_FROM_WIRE
from stratvector.contracts.codecs.signals import REASON_TO_WIRE as SIGNAL_REASON_TO_WIRE
from stratvector.contracts.v1 import ledger_proofs_pb2 as proofs_pb
from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.contracts.v1 import orders_pb2
from stratvector.trading.explanation import Explanation, ModelWish, StageStep
from stratvector.trading.ledger_answers import RejectionRecord, Rejections
from stratvector.trading.ledger_verification import Finding, Verification, VerifiedRecord
from stratvector.trading.reasons import Stage

STAGE_TO_WIRE, STAGE_FROM_WIRE = both_ways(
    "Stage",
    {
        Stage.NETTED: orders_pb2.STAGE_NETTED,
        Stage.SYMBOL: orders_pb2.STAGE_SYMBOL,
        Stage.ASSET: orders_pb2.STAGE_ASSET,
        Stage.CLASS: orders_pb2.STAGE_CLASS,
        Stage.INVESTED: orders_pb2.STAGE_INVESTED,
        Stage.GROSS: orders_pb2.STAGE_GROSS,
        Stage.CAPITAL: orders_pb2.STAGE_CAPITAL,
        Stage.DRAWDOWN: orders_pb2.STAGE_DRAWDOWN,
    },
)


def explanation_message(explanation: Explanation) -> pb.Explanation:
    """An explanation on its way out."""
    wire = pb.Explanation(
        portfolio=explanation.portfolio,
        close_time_ns=explanation.close_time,
        symbol=explanation.symbol,
        outcome=OUTCOME_TO_WIRE[explanation.outcome],
        sentence=explanation.sentence,
        bars_id=explanation.bars_id,
        equity=explanation.equity,
        held_lots=explanation.held_lots,
        target_lots=explanation.target_lots,
        models=map(_wish_message, explanation.models),
        stages=map(_step_message, explanation.stages),
        order=None if explanation.order is None else order_message(explanation.order),
        fills=map(fill_message, explanation.fills),
    )
    write_decimal(wire, "lot_size", explanation.lot_size)
    if explanation.mark is not None:
        write_decimal(wire, "mark", explanation.mark)
    return wire


def explanation_of(wire: pb.Explanation) -> Explanation:
    """An explanation that came in. Raises ValueError."""
    return Explanation(
        portfolio=wire.portfolio,
        close_time=wire.close_time_ns,
        symbol=wire.symbol,
        outcome=OUTCOME_FROM_WIRE[wire.outcome],
        sentence=wire.sentence,
        mark=read_decimal(wire, "mark") if wire.HasField("mark") else None,
        bars_id=wire.bars_id,
        equity=wire.equity,
        lot_size=read_decimal(wire, "lot_size"),
        held_lots=wire.held_lots,
        target_lots=wire.target_lots,
        models=tuple(map(_wish_of, wire.models)),
        stages=tuple(map(_step_of, wire.stages)),
        order=order_of(wire.order) if wire.HasField("order") else None,
        fills=tuple(map(fill_of, wire.fills)),
    )


def rejections_message(rejections: Rejections) -> proofs_pb.QueryRejectionsResponse:
    """Rejections on their way out."""
    return proofs_pb.QueryRejectionsResponse(
        rejections=[
            proofs_pb.RejectionRecord(
                reason=OUTCOME_TO_WIRE[one.reason],
                symbol=one.symbol,
                count=one.count,
                first_close_ns=one.first_close,
                last_close_ns=one.last_close,
            )
            for one in rejections.records
        ],
        total=rejections.total,
    )


def rejections_of(wire: proofs_pb.QueryRejectionsResponse) -> Rejections:
    """Rejections that came in. Raises ValueError."""
    records = tuple(
        RejectionRecord(
            OUTCOME_FROM_WIRE[one.reason],
            one.symbol,
            one.count,
            one.first_close_ns,
            one.last_close_ns,
        )
        for one in wire.rejections
    )
    return Rejections(records, wire.total)


def verification_message(verification: Verification) -> proofs_pb.VerifyResponse:
    """A verification on its way out."""
    return proofs_pb.VerifyResponse(
        records=[
            proofs_pb.VerifiedRecord(
                portfolio=one.portfolio,
                closes=one.closes,
                last_close_ns=one.last_close,
                chain_hash=one.chain_hash,
            )
            for one in verification.records
        ],
        rows=verification.rows,
        sealed=verification.sealed,
        findings=[
            proofs_pb.VerificationFinding(
                table=one.table,
                portfolio=one.portfolio,
                close_time_ns=one.close_time,
                what=one.what,
            )
            for one in verification.findings
        ],
        found=verification.found,
    )


def verification_of(wire: proofs_pb.VerifyResponse) -> Verification:
    """A verification that came in."""
    return Verification(
        records=tuple(
            VerifiedRecord(
                one.portfolio,
                one.closes,
                one.last_close_ns if one.HasField("last_close_ns") else None,
                one.chain_hash,
            )
            for one in wire.records
        ),
        rows=wire.rows,
        sealed=wire.sealed,
        findings=tuple(
            Finding(
                one.table,
                one.portfolio,
                one.close_time_ns if one.HasField("close_time_ns") else None,
                one.what,
            )
            for one in wire.findings
        ),
        found=wire.found,
    )


def _wish_message(wish: ModelWish) -> proofs_pb.ModelWish:
    return proofs_pb.ModelWish(
        model=wish.model,
        version=wish.version,
        weight=wish.weight,
        confidence=wish.confidence,
        action=ACTION_TO_WIRE[wish.action],
        reason=SIGNAL_REASON_TO_WIRE[wish.reason],
        weight_reason=REASON_TO_WIRE[wish.weight_reason],
        budget=wish.budget,
        lots=wish.lots,
        sentence=wish.sentence,
    )


def _wish_of(wire: proofs_pb.ModelWish) -> ModelWish:
    return ModelWish(
        model=wire.model,
        version=wire.version,
        weight=wire.weight,
        confidence=wire.confidence,
        action=ACTION_FROM_WIRE[wire.action],
        reason=SIGNAL_REASON_FROM_WIRE[wire.reason],
        weight_reason=REASON_FROM_WIRE[wire.weight_reason],
        budget=wire.budget,
        lots=wire.lots,
        sentence=wire.sentence,
    )


def _step_message(step: StageStep) -> proofs_pb.StageStep:
    return proofs_pb.StageStep(
        stage=STAGE_TO_WIRE[step.stage],
        exposure=step.exposure,
        cut=step.cut,
        sentence=step.sentence,
    )


def _step_of(wire: proofs_pb.StageStep) -> StageStep:
    return StageStep(STAGE_FROM_WIRE[wire.stage], wire.exposure, wire.cut, wire.sentence)
