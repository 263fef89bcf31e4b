"""Paper trading on recorded bars: the five services in one process, for three weeks of the sample.

Shows the flow at work: market_data publishes bars, strategy signals, risk orders, execution sends
them to the simulated broker and publishes fills, and ledger commits one entry per close. Then the
same session runs through the compiled backtest, and every order and fill is the same.
"""

from pathlib import Path

from stratvector.backtest import result_of
from stratvector.cli.in_process import run_in_process
from stratvector.config import load_session
from stratvector.trading import replay
from stratvector.trading.fills import FillKind
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.timestamps import utc_text

CONFIG = Path(__file__).parents[1] / "config" / "system.yaml"


def tell(entry: LedgerEntry, done: int) -> None:
    """One line per execution, as the ledger commits it."""
    for event in entry.events:
        if event.kind is FillKind.FILLED:
            when = utc_text(event.fill_time)
            print(f"{when}  {event.symbol:8} {event.lots:>8} lots at {event.price:>10}")


def main() -> None:
    """Run the services, then the backtest, and compare."""
    session = load_session(CONFIG, start="2018-01-02", end="2018-01-20")
    paper = run_in_process(session, tell)
    print(f"closes {len(paper.entries)}, orders {len(paper.orders)}, fills {len(paper.fills)}")
    for model in paper.models:
        print(f"{model.name:28} profit {model.profit:10.2f} in {model.fills} fills")
    print(f"equity {paper.final_equity:.2f}")

    backtest = result_of(replay.run(session))
    same = paper.orders.equals(backtest.orders) and paper.fills.equals(backtest.fills)
    print(f"the backtest gives the same orders and fills: {same}")
    for caveat in backtest.caveats:
        print(f"note: {caveat}")


if __name__ == "__main__":
    main()
