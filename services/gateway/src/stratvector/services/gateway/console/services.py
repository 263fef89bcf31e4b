"""services: each process with its state in colour and in words."""

from stratvector.services.gateway.console.markup import empty, escaped
from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.health import Health, Level

WORDS = {Level.GREEN: "ready", Level.AMBER: "not ready", Level.RED: "down"}


def services(context: PortfolioContext) -> str:
    """A line per process."""
    if not context.health.now:
        return empty("No process is watched: the setting `probes` names none.")
    return f'<ul class="health">{"".join(map(_line, context.health.now.values()))}</ul>'


def _line(health: Health) -> str:
    about = health.reason or health.state
    return (
        f'<li data-testid="health-{escaped(health.name)}" data-level="{health.level}">'
        f'<span class="dot" aria-hidden="true"></span>'
        f'<span class="health-name">{escaped(health.name)}</span>'
        f'<span class="health-word">{WORDS[health.level]}</span>'
        f'<span class="health-about" title="{escaped(about)}">{escaped(about)}</span></li>'
    )
