"""Nouns that are well formed and yet no account can take: who meets one must stop.

UnfitNoun(ValueError)
├── StrayExecution    an execution of an order that is not working
├── ExcessExecution   an execution of more lots than its order has left
├── OtherRows         signals whose rows are not of the universe's symbols
└── Absurd            a value that no honest owner of the lane can have written; see `meaning`
"""


class UnfitNoun(ValueError):
    """A noun that contradicts what came before it; the message is one sentence."""


class StrayExecution(UnfitNoun):
    """An execution of an order that is not working on that symbol."""

    def __init__(self, execution_id: str, order_id: str, symbol: str) -> None:
        super().__init__(
            f"execution {execution_id} of {symbol} belongs to order {order_id}, "
            "which is not working"
        )
        self.execution_id, self.order_id, self.symbol = execution_id, order_id, symbol


class OtherRows(UnfitNoun):
    """Signals whose rows are not of the universe's symbols, in its order."""

    def __init__(self, model: str, expected: tuple[str, ...], found: tuple[str, ...]) -> None:
        super().__init__(
            f"signals of {model} must have rows of {', '.join(expected)}; "
            f"they have {', '.join(found) or 'none'}"
        )
        self.model, self.expected, self.found = model, expected, found


class Absurd(UnfitNoun):
    """A noun with a value that no honest owner of its lane can have written."""


class ExcessExecution(UnfitNoun):
    """An execution of more lots than its order has left, or of its other side."""

    def __init__(self, execution_id: str, order_id: str, lots: int, left: int) -> None:
        super().__init__(
            f"execution {execution_id} is of {lots} lots, but order {order_id} has {left} left"
        )
        self.execution_id, self.order_id, self.lots, self.left = execution_id, order_id, lots, left
