"""models: what each wants, and how far it has drifted."""

from urllib.parse import quote, urlsplit

from stratvector.services.gateway.clients.strategy import Model
from stratvector.services.gateway.console.markup import broken, empty, escaped, row, table
from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.staleness import stale_score
from stratvector.services.gateway.words import minute, percent

LOOPBACK = ("127.0.0.1", "::1", "localhost")
HEADS = (("Model", False), ("Budget", True), ("Drift", True))


def models(context: PortfolioContext) -> str:
    """The table."""
    cached = context.cached
    if not cached.models:
        sentence = cached.troubles.get("strategy", "No model yet: strategy was not asked.")
        return f'<div data-testid="models">{empty(sentence)}</div>'
    rows = (_row(context, model) for model in cached.models)
    stale = cached.troubles.get("strategy", "")
    about = f'<p class="about"><b class="stale">stale</b> {escaped(stale)}</p>' if stale else ""
    return f'<div data-testid="models">{table("Models", HEADS, rows)}{about}</div>'


def _row(context: PortfolioContext, model: Model) -> str:
    when = "not signalled yet" if model.last_close is None else f"{minute(model.last_close)} UTC"
    name = f"<b>{broken(model.name)}</b><br><small>{escaped(when)}</small>"
    cells = [
        (f"{name}<br>{_targets(model)}", False),
        (f"{100.0 * model.budget_fraction:g}\N{NO-BREAK SPACE}%", True),
        (_drift(context, model.name), True),
    ]
    return row(cells, f"model-{model.name}")


def _targets(model: Model) -> str:
    if not model.weights:
        return "<small>flat</small>"
    return " ".join(
        f'<span class="target">{escaped(symbol)} <b>{percent(weight)}</b></span>'
        for symbol, weight in model.weights.items()
    )


def _drift(context: PortfolioContext, model: str) -> str:
    score = context.cached.scores.get(model)
    if score is None:
        return "<small>not scored</small>"
    known = score.score == score.score
    figure = f"{score.score:.2f} {score.band}" if known else "no score"
    stale = context.cached.troubles.get("drift") or (
        stale_score(context.live, score) if known else ""
    )
    about = "; ".join(filter(None, (score.reason, stale)))
    mark = ' <b class="stale">stale</b>' if stale else ""
    classes, about = f"band band-{score.band}", escaped(about)
    shown = f'<span class="{escaped(classes)}" title="{about}">{escaped(figure)}</span>{mark}'
    # Drift shows how a model came to its score on the port that is watched; where that is another
    # machine's, or a container's, no browser of a user reaches it.
    report = context.health.probes.get("drift", "")
    if urlsplit(report).hostname in LOOPBACK:
        section = quote(f"{context.whose.key}.{model}")
        return f'<a href="{escaped(report)}/#{section}" target="_blank">{shown}</a>'
    return shown
