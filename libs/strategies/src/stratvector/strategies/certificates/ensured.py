"""The certificate that a backtest asks for: earned once for each content, then remembered."""

import hashlib
import os
from dataclasses import fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from weakref import WeakKeyDictionary

from stratvector.strategies.bad_strategy import Uncertified
from stratvector.strategies.certificates.certificate import Certificate
from stratvector.strategies.certificates.certifying import BRIEF, examine
from stratvector.strategies.code_hash import code_hash, is_of_the_house
from stratvector.trading.bars import Bars
from stratvector.trading.caveats import Caveat
from stratvector.trading.engine.compiling import cache_directory, engine_hash
from stratvector.trading.strategy import Strategy

UNCHECKED = "unchecked_strategy"

_here: WeakKeyDictionary[type, set[str]] = WeakKeyDictionary()


def ensure_certified(strategy: Strategy, bars: Bars, check: bool = True) -> tuple[Caveat, ...]:
    """Certify a strategy that is not of the house in short form, unless it was before.

    What holds is remembered in the cache folder by a hash of code, parameters and library. A
    strategy that can't be tried on made-up bars, as it raises there, gives a caveat; so does
    check=False. Raises Uncertified with the first number that breaks a property.
    """
    kind = type(strategy)
    if is_of_the_house(kind):
        return ()
    if not check:
        return (_caveat(strategy, "the backtest was told not to check it"),)
    values = _values(strategy)
    known = _here.setdefault(kind, set())
    if values in known:
        return ()
    remembered = certificates_folder() / _key(kind, values)
    if not remembered.exists():
        try:
            certificate = examine(strategy, bars, effort=BRIEF)
        except Exception as error:  # noqa: BLE001  whatever a user's own code raises
            told = f"{type(error).__name__}: {error}"
            return (_caveat(strategy, f"it raises on made-up bars, {told}"),)
        if not certificate.holds:
            raise Uncertified(strategy.name, certificate.complaint)
        _remember(remembered, certificate)
    known.add(values)
    return ()


def certificates_folder() -> Path:
    """Where certificates are remembered, beside compiled code."""
    return cache_directory().parent.parent / "certificates"


def _caveat(strategy: Strategy, why: str) -> Caveat:
    sentence = (
        f"nobody has checked that {strategy.name} neither looks ahead nor remembers more than its "
        f"history: {why}; `stratvector backtest check` does"
    )
    return Caveat(UNCHECKED, sentence, strategy.name)


def _values(strategy: Strategy) -> str:
    return repr([(f.name, getattr(strategy, f.name)) for f in fields(strategy)])


def _key(kind: type, values: str) -> str:
    content = "\x1f".join((code_hash(kind), values, _library()))
    return hashlib.sha256(content.encode()).hexdigest()


@cache
def _library() -> str:
    """This library's version and sources: what holds with one need not hold with another."""
    try:
        release = version("stratvector-strategies")
    except PackageNotFoundError:
        release = ""
    digest = hashlib.sha256(f"{release}{engine_hash()}".encode())
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


def _remember(place: Path, certificate: Certificate) -> None:
    """Written beside and renamed; a folder that can't be written costs a check each time."""
    draft = place.with_suffix(f".{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(f"{certificate}\n", encoding="utf-8")
        draft.replace(place)
    except OSError:
        draft.unlink(missing_ok=True)
