"""Timeframes by name: what they are stands in `stratvector.trading.timeframes`, where strategies
name them too.
"""

from stratvector.trading.timeframes import Timeframe, UnknownTimeframe, timeframe

__all__ = ["Timeframe", "UnknownTimeframe", "timeframe"]
