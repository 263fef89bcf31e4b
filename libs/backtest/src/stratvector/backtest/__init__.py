"""Backtests: runs of the engine over recorded bars, and what they were worth."""
