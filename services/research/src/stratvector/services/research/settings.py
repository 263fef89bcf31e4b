"""settings: what the research process is told."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from stratvector.runtime.process.settings import ProcessSettings, Whole

JobSeconds = Annotated[float, Field(gt=0, le=7 * 86_400, allow_inf_nan=False)]


class ResearchSettings(ProcessSettings):
    """Runs backtests as jobs, each in a process of its own, and keeps their results on disk."""

    config_folder: Path = Path("config")
    """where the configurations of jobs lie; none outside it can be asked for"""
    results_folder: Path = Path("results/jobs")
    """where jobs and their results lie, a folder for each; one service at a time may hold it"""
    jobs_at_once: Annotated[Whole, Field(ge=1, le=64)] = 1
    """how many backtests run at the same time"""
    jobs_waiting_max: Annotated[Whole, Field(ge=0, le=100_000)] = 100
    """how many may wait for a place; one more is refused"""
    jobs_kept_max: Annotated[Whole, Field(ge=1, le=100_000)] = 200
    """how many ended jobs are kept; those that ended before them are removed with their results"""
    job_seconds_max: JobSeconds = 1800.0
    """a backtest that takes longer is ended, and its job failed"""
