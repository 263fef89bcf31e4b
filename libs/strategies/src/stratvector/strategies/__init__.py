"""Strategies: one per file, registered under the id that config files and services use.

Where to go next: `equity_trend.py` (a model with memory, read top to bottom), `indicators/` (what
features are made of), `registry.py` (ids, parameters, your own strategies), `certificates.py` (what
each of them must prove). Your own: `function_strategy.py`, `event_strategy.py`.
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
from stratvector.strategies.context import Context
from stratvector.strategies.crypto_momentum import CryptoMomentumModel
from stratvector.strategies.equity_trend import EquityTrendModel
from stratvector.strategies.event_strategy import EventStrategy
from stratvector.strategies.floats import Floats
from stratvector.strategies.function_strategy import FunctionStrategy, strategy
from stratvector.strategies.index_mean_reversion import IndexMeanReversionModel
from stratvector.strategies.indicator_strategy import IndicatorStrategy
from stratvector.strategies.indicators import Indicators
from stratvector.strategies.mean_reversion import MeanReversionStrategy
from stratvector.strategies.memory import per_symbol
from stratvector.strategies.momentum import MomentumStrategy
from stratvector.strategies.naming import create_named, find_strategy
from stratvector.strategies.panel import Panel
from stratvector.strategies.parameters import require, require_at_least
from stratvector.strategies.registry import MODELS, create, parameter_names, register
from stratvector.strategies.trial_bars import bars_of, trial_bars
from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import Scan, decide_jit
from stratvector.trading.strategy import Decide, Strategy, scan

__all__ = [
    "MODELS",
    "BadStrategy",
    "Bars",
    "Certificate",
    "Context",
    "CryptoMomentumModel",
    "Decide",
    "EquityTrendModel",
    "EventStrategy",
    "Floats",
    "FunctionStrategy",
    "IndexMeanReversionModel",
    "IndicatorStrategy",
    "Indicators",
    "MeanReversionStrategy",
    "MomentumStrategy",
    "Panel",
    "Scan",
    "Strategy",
    "Violation",
    "bars_of",
    "certify",
    "check_bounded_memory",
    "check_causality",
    "check_repeatability",
    "create",
    "create_named",
    "decide_jit",
    "ensure_certified",
    "find_strategy",
    "parameter_names",
    "per_symbol",
    "register",
    "require",
    "require_at_least",
    "scan",
    "strategy",
    "trial_bars",
]
