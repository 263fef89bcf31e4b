"""Three certificates that every strategy must earn, to the last bit: `checks` says what they are.

`certifying` says on which bars, `scrambles` what becomes of the future, `panels` which markets a
strategy goes through, `ensured` how a backtest asks for them once.
"""

from stratvector.strategies.certificates.certificate import Certificate, Violation
from stratvector.strategies.certificates.certifying import (
    BRIEF,
    THOROUGH,
    certify,
    examine,
    planned,
)
from stratvector.strategies.certificates.checks import (
    check_bounded_memory,
    check_causality,
    check_repeatability,
)
from stratvector.strategies.certificates.ensured import ensure_certified

__all__ = [
    "BRIEF",
    "THOROUGH",
    "Certificate",
    "Violation",
    "certify",
    "check_bounded_memory",
    "check_causality",
    "check_repeatability",
    "ensure_certified",
    "examine",
    "planned",
]
