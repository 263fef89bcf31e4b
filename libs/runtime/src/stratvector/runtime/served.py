"""served: what a process has of each portfolio in each run that it serves, for whoever asks.

Who asks names a portfolio and a run, or one of them, or none: what he leaves open must be certain.

NotServed
├── UnknownPortfolio    nothing here has that name
└── AmbiguousPortfolio  more than one has it, or nothing was named and there are several
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from stratvector.trading.portfolio import Portfolio

if TYPE_CHECKING:
    import grpc.aio

Value = TypeVar("Value")


@dataclass(frozen=True, order=True)
class PortfolioRun:
    """A portfolio in one of its runs."""

    run: str
    portfolio: str

    @classmethod
    def of(cls, portfolio: Portfolio) -> "PortfolioRun":
        """A portfolio's own."""
        return cls(portfolio.run, portfolio.name)

    @classmethod
    def parsed(cls, key: str) -> "PortfolioRun":
        """From `<run>.<portfolio>`, as subjects and documents spell it."""
        mode, number, portfolio = key.split(".", 2)
        return cls(f"{mode}.{number}", portfolio)

    @property
    def key(self) -> str:
        """`<run>.<portfolio>`."""
        return f"{self.run}.{self.portfolio}"

    def __str__(self) -> str:
        return f"{self.portfolio} in {self.run}"


class NotServed(LookupError):
    """Nothing, or more than one thing, is what was asked for; the message is one sentence."""


class UnknownPortfolio(NotServed):
    """Nothing here has that name."""


class AmbiguousPortfolio(NotServed):
    """More than one could be meant."""


def chosen(
    known: Mapping[PortfolioRun, Value], portfolio: str, run: str, what: str
) -> tuple[PortfolioRun, Value]:
    """The one that a portfolio and a run name; either may be empty. Raises NotServed.

    what : who has them, for sentences, such as "risk".
    """
    matching = {
        one: value
        for one, value in known.items()
        if portfolio in ("", one.portfolio) and run in ("", one.run)
    }
    if len(matching) == 1:
        return next(iter(matching.items()))
    there = ", ".join(map(str, sorted(known))) or "none yet"
    asked = " ".join(filter(None, (portfolio and repr(portfolio), run and f"in {run}")))
    if not matching and asked:
        raise UnknownPortfolio(f"{what} has no portfolio {asked}; there is {there}")
    if not matching:
        raise AmbiguousPortfolio(f"{what} has no portfolio yet")
    raise AmbiguousPortfolio(f"{what} has more than one portfolio, name one and its run: {there}")


class Served(Generic[Value]):
    """Values by portfolio and run, in the order in which they began; read by other threads, so the
    table is replaced at once.

    service : for sentences.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self._known: dict[PortfolioRun, Value] = {}

    def add(self, portfolio: Portfolio, value: Value) -> None:
        """From now on this is what there is of a portfolio in its run."""
        self._known = {**self._known, PortfolioRun.of(portfolio): value}

    def of(self, portfolio: str = "", run: str = "") -> Value:
        """The only one that is meant. Raises NotServed."""
        return chosen(self._known, portfolio, run, self.service)[1]

    def newest(self, portfolio: str = "", run: str = "") -> Value:
        """Of those that are meant, the one that began last. Raises NotServed."""
        meant = [
            one for one in self._known if portfolio in ("", one.portfolio) and run in ("", one.run)
        ]
        return self._known[meant[-1]] if meant else self.of(portfolio, run)

    def names(self) -> tuple[PortfolioRun, ...]:
        """Whose there are now."""
        return tuple(self._known)

    def values(self) -> tuple[Value, ...]:
        """All, as they are now."""
        return tuple(self._known.values())

    def items(self) -> Iterator[tuple[PortfolioRun, Value]]:
        """Both."""
        return iter(self._known.items())

    async def asked(self, request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Value:
        """The one that a gRPC request means; the call ends with a status and a sentence where there
        is none.
        """
        try:
            return self.of(request.portfolio, request.run)
        except NotServed as error:
            await refuse(context, error)


async def refuse(context: "grpc.aio.ServicerContext[Any, Any]", error: NotServed) -> NoReturn:
    """End a call: what is unknown is NOT_FOUND, what is not certain FAILED_PRECONDITION."""
    import grpc

    unknown = isinstance(error, UnknownPortfolio)
    code = grpc.StatusCode.NOT_FOUND if unknown else grpc.StatusCode.FAILED_PRECONDITION
    await context.abort(code, str(error))
