"""The ledger's explanations, rejections and verifications as messages of its service and back:
`…_message` on the way out, `…_of` on the way in, which raises ValueError.
"""

from typing import Final

from stratvector.contracts.codecs.derived import Exceptions, derived
from stratvector.contracts.codecs.ledger_service import EXCEPTIONS
from stratvector.contracts.v1 import ledger_proofs_pb2 as proofs_pb
from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.trading.explanation import Explanation
from stratvector.trading.ledger_answers import Rejections
from stratvector.trading.ledger_verification import Verification

RENAMED: Final = {Rejections: Exceptions(named={"records": "rejections"})}

_EXPLANATION = derived(Explanation, pb.Explanation, EXCEPTIONS)
_REJECTIONS = derived(Rejections, proofs_pb.QueryRejectionsResponse, RENAMED)
_VERIFICATION = derived(Verification, proofs_pb.VerifyResponse)

explanation_message, explanation_of = _EXPLANATION.to_wire, _EXPLANATION.from_wire
rejections_message, rejections_of = _REJECTIONS.to_wire, _REJECTIONS.from_wire
verification_message, verification_of = _VERIFICATION.to_wire, _VERIFICATION.from_wire
