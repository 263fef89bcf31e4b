"""research: backtests as jobs, each a process of its own, with results on disk."""
