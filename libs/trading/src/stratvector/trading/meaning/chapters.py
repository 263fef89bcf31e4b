"""What a chapter may say. Its form alone is checked by its codec."""

from stratvector.trading.chapters import Chapter
from stratvector.trading.fills import FillsReport
from stratvector.trading.meaning.rules import check_same
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.unfit import Absurd


def check_chapter_of(chapter: Chapter, portfolio: Portfolio) -> None:
    """The portfolio's own chapter; its universes are a chapter's own, and its document is held
    against its bars where it is read. Raises Absurd.
    """
    check_same("run", chapter.run, portfolio.run)
    check_same("portfolio", chapter.portfolio, portfolio.name)


def check_chapter_number(found: int, own: int) -> None:
    """What is said in the reader's chapter names it. Raises Absurd."""
    if found != own:
        raise Absurd(f"chapter is {found}; chapter {own} is open")


def check_report_chapter(report: FillsReport, oldest: int, own: int) -> None:
    """A report names the chapter that its writer had read of. Up to the first close of a chapter
    that may be an earlier one, as execution is ahead of risk. Raises Absurd.

    oldest : the earliest that it may be. own : the one that the close belongs to.
    """
    if not oldest <= report.chapter <= own:
        raise Absurd(f"chapter is {report.chapter}; chapter {own} is open")
