"""Strategies: one per file, registered under the id that config files and services use.

Where to go next: `equity_trend.py` (a model with memory, read top to bottom), `indicators/` (what
features are made of), `registry.py` (ids, parameters, your own strategies), `certificates.py` (what
each of them must prove).
"""

from stratvector.strategies.bad_strategy import BadStrategy
from stratvector.strategies.certificates import (
    Certificate,
    Violation,
    certify,
    check_bounded_memory,
    check_causality,
    check_repeatability,
    ensure_certified,
)
from stratvector.strategies.crypto_momentum import CryptoMomentumModel
from stratvector.strategies.equity_trend import EquityTrendModel
from stratvector.strategies.index_mean_reversion import IndexMeanReversionModel
from stratvector.strategies.indicator_strategy import IndicatorStrategy
from stratvector.strategies.indicators import Indicators
from stratvector.strategies.mean_reversion import MeanReversionStrategy
from stratvector.strategies.momentum import MomentumStrategy
from stratvector.strategies.naming import create_named, find_strategy
from stratvector.strategies.registry import MODELS, create, parameter_names, register

__all__ = [
    "MODELS",
    "BadStrategy",
    "Certificate",
    "CryptoMomentumModel",
    "EquityTrendModel",
    "IndexMeanReversionModel",
    "IndicatorStrategy",
    "Indicators",
    "MeanReversionStrategy",
    "MomentumStrategy",
    "Violation",
    "certify",
    "check_bounded_memory",
    "check_causality",
    "check_repeatability",
    "create",
    "create_named",
    "ensure_certified",
    "find_strategy",
    "parameter_names",
    "register",
]
