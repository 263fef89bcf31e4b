"""backtest: submit one, watch it, read its figures."""

from nicegui import ui

from stratvector.runtime.peer import PeerError
from stratvector.services.gateway.clients.research import Job, JobState
from stratvector.services.gateway.console.markup import escaped
from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.words import NOTHING, minute, percent

LOOK_SECONDS = 0.5
RECENT_MAX = 5
# In the order in which they are read; fractions are shown in per cent.
FIGURES = (
    ("total_return", "Total return", True),
    ("annualized_return", "CAGR", True),
    ("sharpe_ratio", "Sharpe", False),
    ("sortino_ratio", "Sortino", False),
    ("max_drawdown", "Max drawdown", True),
    ("win_rate", "Win rate", True),
    ("profit_factor", "Profit factor", False),
    ("trades", "Trades", False),
    ("bps", "BPS", False),
)


class BacktestCard:
    """A form, the job that it made, and the newest jobs."""

    def __init__(self, context: PortfolioContext) -> None:
        self._research = context.research
        self._job_id = ""
        with ui.element("div").classes("form"):
            self._config = _input("Configuration", "system.yaml", "backtest-config")
            self._start = _input("First date", "", "backtest-start", "as configured")
            self._end = _input("Last date", "", "backtest-end", "as configured")
            self._submit = ui.button("Run backtest", on_click=self._run).props(
                'no-caps unelevated data-testid="backtest-submit"'
            )
        self._bar = ui.linear_progress(0.0, show_value=False, size="6px").props(
            'data-testid="backtest-progress"'
        )
        self._bar.set_visibility(False)
        self._word = ui.label("").classes("about").props('data-testid="backtest-status"')
        self._figures = ui.html("", sanitize=False)
        self._recent = ui.html("", sanitize=False)
        self._watch = ui.timer(LOOK_SECONDS, self._look, active=False)
        ui.timer(0.0, self._show_recent, once=True)

    async def _run(self) -> None:
        """Submit what the form says."""
        self._submit.disable()
        wish = [str(field.value or "").strip() for field in (self._config, self._start, self._end)]
        try:
            job = await self._research.submit(*wish)
        except PeerError as error:
            self._tell(str(error))
            self._submit.enable()
            return
        self._follow(job)

    async def _look(self) -> None:
        """Ask for the job that is watched."""
        try:
            job = await self._research.job(self._job_id)
        except PeerError as error:
            self._tell(str(error))
            return
        self._show(job)
        if job.state.is_over:
            self._watch.deactivate()
            self._submit.enable()
            await self._show_recent()

    async def _show_recent(self) -> None:
        """The newest jobs; one that still runs is watched on."""
        try:
            jobs = await self._research.jobs()
        except PeerError as error:
            if not self._job_id:
                self._tell(str(error))
            return
        self._recent.set_content(_recent(jobs[:RECENT_MAX]))
        if jobs and not self._job_id and not jobs[0].state.is_over:
            self._submit.disable()
            self._follow(jobs[0])
        elif not jobs:
            self._tell("No backtest yet.")

    def _follow(self, job: Job) -> None:
        self._job_id = job.id
        self._figures.set_content("")
        self._show(job)
        self._watch.activate()

    def _show(self, job: Job) -> None:
        self._bar.set_visibility(not job.state.is_over)
        self._bar.set_value(job.progress)
        self._tell(_sentence(job))
        if job.state is JobState.DONE:
            self._figures.set_content(_figures(job))

    def _tell(self, sentence: str) -> None:
        self._word.set_text(sentence)


def _input(label: str, value: str, name: str, hint: str = "") -> ui.input:
    field = ui.input(label, value=value, placeholder=hint)
    return field.props(f'outlined dense stack-label data-testid="{name}"')


def _sentence(job: Job) -> str:
    match job.state:
        case JobState.QUEUED:
            return "Waiting for its turn."
        case JobState.RUNNING:
            return f"{percent(job.progress)} {job.phase}"
        case JobState.FAILED:
            return f"Failed: {job.error}"
    return f"Done: {_span(job)}"


def _span(job: Job) -> str:
    if not job.start and not job.end:
        return job.config
    return f"{job.config}, {job.start or 'start'} to {job.end or 'end'}"


def _figures(job: Job) -> str:
    lines = "".join(
        f"<div><dt>{title}</dt><dd>{_figure(job.metrics.get(key), is_fraction)}</dd></div>"
        for key, title, is_fraction in FIGURES
    )
    link = f'<a href="/api/backtesting/{escaped(job.id)}" target="_blank">all metrics</a>'
    about = f'<p class="about">{link}, files in <code>{escaped(job.results)}</code></p>'
    return f'<dl class="figures" data-testid="backtest-result">{lines}</dl>{about}'


def _figure(value: float | None, is_fraction: bool) -> str:
    if value is None or value != value:
        return NOTHING
    return percent(value) if is_fraction else f"{value:,.2f}".removesuffix(".00")


def _recent(jobs: list[Job]) -> str:
    lines = "".join(
        f'<li><a href="/api/backtesting/{escaped(job.id)}" target="_blank">'
        f"{minute(job.submitted_at)}</a> <span>{escaped(_span(job))}</span> "
        f"<b>{job.state.name.lower()}</b></li>"
        for job in jobs
    )
    return f'<ul class="jobs" data-testid="backtest-jobs">{lines}</ul>' if jobs else ""
