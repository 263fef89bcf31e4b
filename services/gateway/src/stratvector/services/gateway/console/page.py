"""page: the console's one page: the cards, and how often they look."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from stratvector.runtime.served import NotServed
from stratvector.services.gateway.console.backtest import BacktestCard
from stratvector.services.gateway.console.banner import banner
from stratvector.services.gateway.console.card import Card, HtmlCard, framed
from stratvector.services.gateway.console.chapters import chapters
from stratvector.services.gateway.console.charts import drawdown_chart, equity_chart
from stratvector.services.gateway.console.chooser import chooser
from stratvector.services.gateway.console.flow import flow
from stratvector.services.gateway.console.markup import empty, escaped
from stratvector.services.gateway.console.models import models
from stratvector.services.gateway.console.positions import positions
from stratvector.services.gateway.console.services import services
from stratvector.services.gateway.console.sockets import PageTasks
from stratvector.services.gateway.console.tiles import tiles
from stratvector.services.gateway.context import GatewayContext, PortfolioContext
from stratvector.trading.portfolio import Portfolio

REFRESH_SECONDS = 0.25
# A page is pinged every 16 s and may take 8 s to answer: on a busy machine it stays connected.
RECONNECT_SECONDS = 20.0
ASSETS = Path(__file__).parent / "assets"
HEAD = (
    '<link rel="stylesheet" href="/console/theme.css">'
    '<script type="module" src="/console/page.js"></script>'
)
BRAND = '<img src="/console/favicon.svg" alt="" width="26" height="26"><h1>StratVector</h1>'
NAME_MAX = 100  # of what an address names
LOST = (
    '<div id="lost" class="banner banner-lost" role="alert" data-testid="banner-lost" hidden></div>'
)


def mount_console(app: FastAPI, context: GatewayContext) -> PageTasks:
    """Serve the console at `/`; to be called once in a process, after all other routes.

    What it gives must be ended after the server.
    """
    tasks = PageTasks()
    app.mount("/console", StaticFiles(directory=ASSETS))

    @ui.page("/")
    def console(portfolio: str = "", run: str = "") -> None:
        ui.add_head_html(HEAD)
        ui.colors(primary="#1d4ed8")
        ui.query(".nicegui-content").classes("page")
        try:
            shown = context.portfolios.newest(portfolio[:NAME_MAX], run[:NAME_MAX])
        except NotServed as error:
            _nothing_to_show(context, str(error))
            return
        ui.page_title(f"{shown.live.portfolio.name} \N{MIDDLE DOT} StratVector")
        _page(context, shown)

    ui.run_with(
        app,
        title="StratVector",
        favicon=ASSETS / "favicon.svg",
        dark=None,  # as the system prefers
        language="en-US",
        tailwind=False,
        show_welcome_message=False,
        binding_refresh_interval=None,  # nothing is bound: cards refresh themselves
        reconnect_timeout=RECONNECT_SECONDS,
    )
    return tasks


def _nothing_to_show(context: GatewayContext, sentence: str) -> None:
    """Said until a portfolio begins, or of a name that there is not."""
    known = len(context.portfolios.names())
    ui.html(f"<header>{BRAND}</header>", sanitize=False)
    ui.html(empty(sentence), sanitize=False)
    ui.html(chooser(context.portfolios, None), sanitize=False)

    def look() -> None:
        if len(context.portfolios.names()) > known:
            ui.navigate.reload()

    ui.timer(REFRESH_SECONDS, look)


def _page(gateway: GatewayContext, context: PortfolioContext) -> None:
    ui.html(_header(context), sanitize=False)
    ui.html(LOST, sanitize=False).classes("banners")
    portfolios = gateway.portfolios
    cards = [
        HtmlCard(portfolios.names, lambda: chooser(portfolios, context.whose)),
        *_cards(context),
    ]

    def refresh() -> None:
        for card in cards:
            card.refresh()

    # It ends with its page: a browser that leaves costs nothing.
    ui.timer(REFRESH_SECONDS, refresh)


def _cards(context: PortfolioContext) -> list[Card]:
    live, cached, health = context.live, context.cached, context.health

    def account() -> object:
        return live.version, cached.version

    cards: list[Card] = [
        HtmlCard(lambda: (live.account.lasting, live.absent), lambda: banner(context), "banners"),
        HtmlCard(account, lambda: tiles(context)),
    ]
    with ui.element("div").classes("columns"):
        with ui.element("div").classes("column-wide"):
            with framed("Equity", "equity"):
                cards.append(equity_chart(context))
            with framed("Drawdown", "drawdown"):
                cards.append(drawdown_chart(context))
            with framed("Positions", "positions"):
                cards.append(HtmlCard(lambda: live.version, lambda: positions(context)))
            with framed("Flow of events", "flow"):
                cards.append(HtmlCard(lambda: live.version, lambda: flow(context)))
        with ui.element("div").classes("column-narrow"):
            with framed("Services", "services"):
                cards.append(
                    HtmlCard(lambda: tuple(health.now.values()), lambda: services(context))
                )
            with framed("Models", "models"):
                cards.append(HtmlCard(lambda: cached.version, lambda: models(context)))
            with framed("Chapters", "chapters"):
                cards.append(HtmlCard(lambda: live.version, lambda: chapters(context)))
            with framed("Backtest", "backtest"):
                BacktestCard(context)
    return cards


def _header(context: PortfolioContext) -> str:
    portfolio = context.live.portfolio
    return (
        f"<header>{BRAND}<span>{escaped(portfolio.name)}</span>"
        f'<span class="quiet">run {escaped(portfolio.run)}</span>'
        f'<span class="quiet">{escaped(_accounts(portfolio))}</span>'
        '<nav><a href="/api/docs">API</a><a href="/api/redoc">Reference</a></nav></header>'
    )


def _accounts(portfolio: Portfolio) -> str:
    names = portfolio.account_names
    return f"account{'s' if len(names) > 1 else ''} {', '.join(names)}"
