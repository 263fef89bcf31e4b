"""report_document: the report as one JSON document; what is not known is null."""

import json
import math
from dataclasses import asdict
from typing import Any

from stratvector.drift import DriftRules, FeatureDrift, Span
from stratvector.services.drift.board import Boards, ModelRecord
from stratvector.trading.timestamps import utc_text

JSON = "application/json"


def report_document(rules: DriftRules, boards: Boards) -> bytes:
    """Rules, and per portfolio each model with its newest check and its history."""
    document = {
        "rules": asdict(rules),
        "portfolios": [
            {
                "portfolio": one.portfolio,
                "run": one.run,
                "models": [_model(record, rules) for record in board.records()],
            }
            for one, board in boards
        ],
    }
    return json.dumps(document, allow_nan=False).encode() + b"\n"


def _model(record: ModelRecord, rules: DriftRules) -> dict[str, Any]:
    drift = record.drift
    return {
        "model": record.model,
        "close_time": None if drift is None else utc_text(drift.close_time),
        "score": _number(record.score),
        "band": rules.band(record.score).value,
        "reason": "no check yet" if drift is None else drift.reason,
        "features": [] if drift is None else [_feature(one) for one in drift.features],
        "history": [[utc_text(close), _number(score)] for close, score in record.history],
    }


def _feature(drift: FeatureDrift) -> dict[str, Any]:
    return {
        "feature": drift.feature.value,
        "score": _number(drift.score),
        "population_stability_index": _number(drift.index),
        "kolmogorov_smirnov": _number(drift.distance),
        "p_value": _number(drift.p_value),
        "reason": drift.lack,
        "reference": _span(drift.reference),
        "window": _span(drift.window),
    }


def _span(span: Span) -> dict[str, Any]:
    return {
        "first_close": utc_text(span.first) if span.count else None,
        "last_close": utc_text(span.last) if span.count else None,
        "values": span.count,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
