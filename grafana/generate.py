"""Writes every dashboard to grafana/json, or tells which file there is not what the code makes."""

import sys
from pathlib import Path

from grafana.boards.board import Board, text_of
from grafana.boards.data_quality import DATA_QUALITY
from grafana.boards.flow import FLOW
from grafana.boards.monte_carlo import MONTE_CARLO
from grafana.boards.risk import RISK
from grafana.boards.strategy import STRATEGY
from grafana.boards.system import SYSTEM
from grafana.boards.trading import TRADING

JSON = Path(__file__).parent / "json"
BOARDS = (SYSTEM, TRADING, STRATEGY, FLOW, RISK, MONTE_CARLO, DATA_QUALITY)


def file_name(board: Board) -> str:
    """Such as `trading.json`."""
    return f"{board.name}.json"


def stale(folder: Path) -> list[str]:
    """A sentence per file that is missing, differs from the code, or that no board makes."""
    sentences = []
    for board in BOARDS:
        path = folder / file_name(board)
        if not path.exists() or path.read_text(encoding="utf-8") != text_of(board):
            sentences.append(f"grafana/json/{path.name} is not fresh: run tools/grafana.sh")
    made = {file_name(board) for board in BOARDS}
    sentences += [
        f"grafana/json/{path.name} is made by no dashboard: delete it"
        for path in sorted(folder.glob("*.json"))
        if path.name not in made
    ]
    return sentences


def main(arguments: list[str]) -> int:
    """Exit code: 0, 1 when `--check` found a file that is not fresh, 2 for unknown arguments."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: tools/grafana.sh [--check]\n")
        return 2
    if arguments:
        sentences = stale(JSON)
        sys.stderr.writelines(f"dashboards: {sentence}\n" for sentence in sentences[:1])
        return bool(sentences)
    JSON.mkdir(exist_ok=True)
    for board in BOARDS:
        (JSON / file_name(board)).write_text(text_of(board), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
