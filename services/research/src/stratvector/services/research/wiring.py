"""The only place that constructs research's parts."""

from stratvector.runtime.host import Service
from stratvector.services.research.adapters.job_folders import JobFolders
from stratvector.services.research.job_board import JobBoard
from stratvector.services.research.metrics import BoardMetrics, job_seconds
from stratvector.services.research.research import Research
from stratvector.services.research.servicer import research_servicer
from stratvector.services.research.settings import ResearchSettings


def build(settings: ResearchSettings) -> Service:
    """Jobs of the results folder, what runs them and what answers for them."""
    folders = JobFolders(settings.results_folder)
    board = JobBoard(
        folders, settings.jobs_at_once, settings.jobs_waiting_max, settings.jobs_kept_max
    )
    seconds = job_seconds()
    config = settings.config_folder
    research = Research(board, folders, config, settings.job_seconds_max, seconds.observe)
    return Service(
        main=[research.run(settings.jobs_at_once)],
        servicers=[research_servicer(board, folders, config)],
        collectors=[BoardMetrics(board), seconds],
        trouble=lambda: board.trouble,
    )
