"""report_page: the report for a person: one plain page, whole in itself, no script."""

import math
from collections.abc import Iterator
from html import escape

from stratvector.drift import Band, DriftRules, FeatureDrift, ModelDrift, Span
from stratvector.runtime.served import PortfolioRun
from stratvector.services.drift.adapters.score_chart import score_chart
from stratvector.services.drift.board import Board, Boards, ModelRecord
from stratvector.trading.timestamps import utc_text

HTML = "text/html; charset=utf-8"
STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
html { background: light-dark(#fff, #0e131b); color: light-dark(#16202e, #e7ecf3); }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
a { color: light-dark(#1d4ed8, #7fabff); }
.scroll { overflow-x: auto; }
section { margin: 2.5rem 0; }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
th, td { white-space: nowrap; }
td { font-variant-numeric: tabular-nums; }
.band { padding: .1rem .5rem; border-radius: .3rem; color: #fff; background: #666; }
.band { white-space: nowrap; }
.band.good { background: #1a7f37; } .band.warning { background: #9a6700; }
.band.critical { background: #b42318; }
svg { width: 100%; height: 6rem; border: 1px solid #8884; }
polyline { fill: none; stroke: currentColor; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
line { stroke-dasharray: 4; vector-effect: non-scaling-stroke; }
line.warning { stroke: #bf8700; } line.critical { stroke: #b42318; }
"""
COLUMNS = ("feature", "score", "PSI", "KS", "p-value", "reference", "window")


def report_page(rules: DriftRules, boards: Boards) -> bytes:
    """Each portfolio's models: score, band, what was compared with what, and the scores so far."""
    names = ", ".join(dict.fromkeys(one.portfolio for one, _ in boards))
    title = f"Drift of {escape(names)}" if names else "Drift"
    sections = "".join(_portfolio(one, board, rules) for one, board in boards)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>"
        f"<p>{_explained(rules)}</p>{sections or '<p>No portfolio has begun yet.</p>'}"
        "</main></body></html>\n"
    )
    return page.encode()


def _portfolio(one: PortfolioRun, board: Board, rules: DriftRules) -> str:
    """Ids are of the whole: two portfolios may have a model of one name."""
    models = "".join(_model(record, rules, one.key) for record in board.records())
    empty = "" if models else "<p>This portfolio has no models.</p>"
    return f'<h2 class="portfolio">{escape(str(one))}</h2>{empty}{models}'


def _explained(rules: DriftRules) -> str:
    return (
        "A score says how far a model’s returns and signals have moved from its reference: 0 is as "
        f"the reference, from {rules.warning:g} on a warning, from {rules.critical:g} on critical. "
        f"Models are checked every {rules.every_hours} hours of event time. All times are closes, "
        'UTC. As data: <a href="report.json">report.json</a>.'
    )


def _model(record: ModelRecord, rules: DriftRules, key: str) -> str:
    band = rules.band(record.score)
    name = "no score" if band is Band.UNKNOWN else band.value
    heading = (
        f"<h3>{escape(record.model).replace('_', '_<wbr>')} {_number(record.score, '.2f')} "
        f'<span class="band {band.value}">{name}</span></h3>'
    )
    # The console links to its models' sections.
    section = f'<section id="{escape(f"{key}.{record.model}")}">'
    if record.drift is None:
        return f"{section}{heading}<p>No close of this model was checked yet.</p></section>"
    chart = score_chart(record.history, rules)
    return f"{section}{heading}{''.join(_checked(record.drift))}{chart}</section>"


def _checked(drift: ModelDrift) -> Iterator[str]:
    yield f"<p>Checked at {utc_text(drift.close_time)}."
    yield f" No score yet: {escape(drift.reason)}.</p>" if drift.reason else "</p>"
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(drift.model)}">'
    yield "<table><thead><tr>"
    yield "".join(f'<th scope="col">{column}</th>' for column in COLUMNS)
    yield "</tr></thead><tbody>"
    yield from (_row(feature) for feature in drift.features)
    yield "</tbody></table></div>"


def _row(drift: FeatureDrift) -> str:
    cells = (
        escape(drift.feature.value),
        _number(drift.score, ".2f"),
        _number(drift.index, ".3f"),
        _number(drift.distance, ".3f"),
        _number(drift.p_value, ".2g"),
        _span(drift.reference),
        _span(drift.window),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _span(span: Span) -> str:
    if not span.count:
        return "none"
    return f"{span.count} values<br>{utc_text(span.first)}<br>{utc_text(span.last)}"


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)
