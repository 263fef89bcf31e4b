"""gRPC: decode, one question to the watch, encode."""

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import grpc

from stratvector.contracts.v1 import drift_service_pb2 as pb
from stratvector.contracts.v1.drift_service_pb2_grpc import (
    DriftServiceServicer,
    add_DriftServiceServicer_to_server,
)
from stratvector.drift import DriftRules, FeatureDrift, ModelDrift
from stratvector.runtime.host import Servicer
from stratvector.runtime.served import Served
from stratvector.services.drift.session_watch import SessionWatch, UnknownModel

NAME: str = pb.DESCRIPTOR.services_by_name["DriftService"].full_name
Context = grpc.aio.ServicerContext[Any, Any]


class DriftAnswers(DriftServiceServicer):
    """Answers for the models of each portfolio."""

    def __init__(self, served: Served[SessionWatch]) -> None:
        self._served = served

    async def GetScores(  # noqa: N802  the proto's name
        self, request: pb.GetScoresRequest, context: Context
    ) -> pb.GetScoresResponse:
        """The newest score of each model."""
        watch = await self._served.asked(request, context)
        found = await _asked(watch.scores, request.model, context)
        return pb.GetScoresResponse(models=_messages(found, watch.rules))

    async def RunCheck(  # noqa: N802  the proto's name
        self, request: pb.RunCheckRequest, context: Context
    ) -> pb.RunCheckResponse:
        """Scores at the newest close that was read."""
        watch = await self._served.asked(request, context)
        found = await _asked(watch.check, request.model, context)
        return pb.RunCheckResponse(models=_messages(found, watch.rules))


def drift_servicer(served: Served[SessionWatch]) -> Servicer:
    """What the drift process answers."""
    answers = DriftAnswers(served)
    return Servicer(NAME, lambda server: add_DriftServiceServicer_to_server(answers, server))


def model_message(drift: ModelDrift, rules: DriftRules) -> pb.ModelDrift:
    """A model's drift on its way out."""
    return pb.ModelDrift(
        model=drift.model,
        close_time_ns=drift.close_time,
        score=drift.score,
        reason=drift.reason,
        features=map(_feature_message, drift.features),
        band=rules.band(drift.score).value,
    )


def _messages(found: Iterable[ModelDrift], rules: DriftRules) -> list[pb.ModelDrift]:
    return [model_message(drift, rules) for drift in found]


def _feature_message(drift: FeatureDrift) -> pb.FeatureDrift:
    return pb.FeatureDrift(
        feature=drift.feature,
        population_stability_index=drift.index,
        kolmogorov_smirnov=drift.distance,
        p_value=drift.p_value,
        score=drift.score,
        reference_start_ns=drift.reference.first,
        reference_end_ns=drift.reference.last,
        reference_count=drift.reference.count,
        window_start_ns=drift.window.first,
        window_end_ns=drift.window.last,
        window_count=drift.window.count,
    )


async def _asked(
    question: Callable[[str], tuple[ModelDrift, ...]], model: str, context: Context
) -> tuple[ModelDrift, ...]:
    try:
        return question(model)
    except UnknownModel as error:
        return await _refuse(context, error)


async def _refuse(context: Context, error: UnknownModel) -> NoReturn:
    await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
