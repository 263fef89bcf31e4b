"""document_code: strategies whose source text a document carries, and who lets it run.

A strategy file lies on the disk of whoever applies it, and no two services share one, so the
document brings the text. Text that came over the bus or with a session's folder is somebody's
program: a process runs it only where its operator has said so (`permit`), or where it has run the
same text before, from a file of its own user.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stratvector.strategies.strategy_files import StrategyFile
    from stratvector.trading.strategy import Strategy

CODE = "code"  # the key beside a strategy's class, version, parameters and source

_permitted = False


class CodeRefused(ValueError):
    """The document brings code, and this process may not run it."""

    def __init__(self, file: "StrategyFile") -> None:
        self.name, self.hash = file.name, file.hash
        super().__init__(
            f"the document brings the code of {file.name} ({file.hash}), and this process does not "
            "run what a document brings: set own_strategies of the strategy service, or give the "
            "command --own-strategies"
        )


def permit(allowed: bool = True) -> None:
    """From now on this process runs the code that documents bring, or does not any more."""
    global _permitted
    _permitted = allowed


def carried_code(kind: type) -> dict[str, Any]:
    """What a document says of a class that a strategy file defines; nothing of any other."""
    from stratvector.strategies.strategy_files import file_of

    file = file_of(kind)
    return {} if file is None else {CODE: {"file": file.name, "text": file.text}}


def carried_class(described: Mapping[str, Any]) -> "type[Strategy]":
    """The class that a document brings the code of.

    Raises CodeRefused, StrategyNotFound, and KeyError or TypeError for what is no such thing.
    """
    from stratvector.strategies.strategy_files import StrategyFile

    code = described[CODE]
    file = StrategyFile(str(code["file"]), str(code["text"]))
    if not (_permitted or file.is_loaded()):
        raise CodeRefused(file)
    return file.strategy(described["class"].rpartition(":")[2])
