"""Configuration: all files of a folder, each checked by itself and against the others."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from stratvector.config.bad_config import BadConfig, BadValue
from stratvector.config.risk import RiskSection, check_caps, combined
from stratvector.config.sections import Checked, checked, read_document
from stratvector.config.system import ModelEntry, ModelSettings, ModelsFile, SystemFile
from stratvector.config.universes import UniverseEntry, UniversesFile
from stratvector.trading.nearest import suggestion

SYSTEM_FILE = "system.yaml"
MODELS_FILE = "models.yaml"
UNIVERSES_FILE = "universes.yaml"
RISK_FOLDER = "risk"


@dataclass(frozen=True)
class TradedModel:
    """An active model of the portfolio, from both files. index : its place in system.yaml."""

    index: int
    entry: ModelEntry
    settings: ModelSettings


@dataclass(frozen=True)
class Configuration:
    """What system.yaml and the files beside it say. path : of system.yaml. began : of a run that
    this is to change, its universes, with the closes before the first that trades that each began
    with; they stay, whether a model trades them or not. one_file : system.yaml says itself what
    models.yaml and universes.yaml say elsewhere.
    """

    path: Path
    system: SystemFile
    models: ModelsFile
    universes: UniversesFile
    risk: RiskSection
    began: Mapping[str, int] = field(default_factory=dict)
    one_file: bool = False

    @property
    def models_path(self) -> Path:
        """Where the models are described."""
        return self.path if self.one_file else self.path.with_name(MODELS_FILE)

    @property
    def universes_path(self) -> Path:
        """Where the universes are described."""
        return self.path if self.one_file else self.path.with_name(UNIVERSES_FILE)

    @cached_property
    def traded(self) -> tuple[TradedModel, ...]:
        """The active models in the portfolio's order."""
        return tuple(
            TradedModel(index, entry, self.models.models[entry.name])
            for index, entry in enumerate(self.system.models)
            if self.models.models[entry.name].active
        )

    @cached_property
    def traded_universes(self) -> dict[str, UniverseEntry]:
        """The universes that an active model trades, in the order of universes.yaml, and those
        that the run began with; of several accounts one after the other.
        """
        wanted = {model.settings.universe for model in self.traded} | self.began.keys()
        found = [name for name in self.universes.universes if name in wanted]
        places = list(self.system.accounts)
        if places:
            found.sort(key=lambda name: places.index(self.account_of.get(name, places[0])))
        entries = self.universes.universes
        return {name: self._with_source(name, entries[name]) for name in found}

    @property
    def account_of(self) -> Mapping[str, str]:
        """Universe -> its account, where there are several."""
        accounts = self.system.accounts.items()
        return {name: account for account, section in accounts for name in section.universes}

    def source_place(self, universe: str) -> tuple[Path, str]:
        """File and key that say where a universe's bars come from."""
        if universe in self.system.sources:
            return self.path, f"sources.{universe}"
        return self.universes_path, f"universes.{universe}.source"

    def _with_source(self, name: str, entry: UniverseEntry) -> UniverseEntry:
        if (source := self.system.sources.get(name)) is None:
            return entry
        return entry.model_copy(update={"source": source})

    def effective(self) -> dict[str, Any]:
        """Every value that a result is made of, defaults included, as JSON values."""
        return {
            "system": self.system.system.model_dump(mode="json"),
            "models": [
                model.entry.model_dump(mode="json") | model.settings.effective()
                for model in self.traded
            ],
            "universes": {n: u.effective() for n, u in self.traded_universes.items()},
            "risk": self.risk.model_dump(mode="json", exclude={"profile"}),
            "costs": self.system.costs.model_dump(mode="json"),
            **self._effective_accounts(),
        }

    def _effective_accounts(self) -> dict[str, Any]:
        """A list, as their order counts; nothing where there is one account, which system names."""
        accounts = self.system.accounts.items()
        listed = [{"name": name} | one.model_dump(mode="json") for name, one in accounts]
        return {"accounts": listed} if listed else {}


def hash_of(document: Any) -> str:
    """SHA-256 of a JSON document, whatever the order of its keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_configuration(path: str | Path) -> Configuration:
    """Read system.yaml at `path`, and models.yaml, universes.yaml and risk/ beside it. A file that
    has a key `universes` says all by itself: what models.yaml says of a model stands in its entry.

    Raises BadConfig: one sentence with file, key, value and rule.
    """
    path = Path(path)
    document = read_document(path, "give one with --config FILE")
    _refuse_another_file(path, document)
    one_file = "universes" in document
    models, universes = _own_parts(path, document) if one_file else (None, None)
    system = checked(SystemFile, path, document)
    beside = f"it belongs beside {path.name}"
    configuration = Configuration(
        path,
        system,
        models or _read(ModelsFile, path.with_name(MODELS_FILE), beside),
        universes or _read(UniversesFile, path.with_name(UNIVERSES_FILE), beside),
        _risk(path, system.risk),
        one_file=one_file,
    )
    _check(configuration)
    return configuration


def _own_parts(path: Path, document: dict[str, Any]) -> tuple[ModelsFile, UniversesFile]:
    """What belongs to models.yaml and universes.yaml, taken out of a file that says it all."""
    universes = checked(UniversesFile, path, {"universes": document.pop("universes")})
    models: dict[str, Any] = {}
    entries = document.get("models")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            own = {key: entry.pop(key) for key in ModelSettings.model_fields if key in entry}
            models.setdefault(str(entry.get("name")), own)
    return checked(ModelsFile, path, {"models": models}), universes


def _refuse_another_file(path: Path, document: Mapping[str, Any]) -> None:
    """A file that stands beside system.yaml, given in its place."""
    keys = set(document)
    kinds = (
        ("it describes models", keys == {"models"} and isinstance(document["models"], dict)),
        ("it describes universes", keys == {"universes"}),
        ("it is a risk profile", bool(keys) and keys <= set(RiskSection.model_fields)),
        ("it says how drift is watched", "reference_closes" in keys),
    )
    for what, fits in kinds:
        if fits:
            place = path.parent.parent if path.parent.name == RISK_FOLDER else path.parent
            raise BadConfig(
                f"{path}: {what}; give the portfolio's file, such as --config "
                f"{place / SYSTEM_FILE}, which reads it"
            )


def _read(kind: type[Checked], path: Path, needed: str) -> Checked:
    return checked(kind, path, read_document(path, needed))


def _risk(path: Path, own: RiskSection) -> RiskSection:
    """The limits with their profile worked in."""
    if own.profile is None:
        return own
    place = path.parent / RISK_FOLDER / f"{own.profile}.yaml"
    profile = _read(RiskSection, place, f"{path}: risk.profile is {own.profile!r}")
    if profile.profile is not None:
        raise BadValue(place, "profile", profile.profile, "a profile can't build on another one")
    return checked(RiskSection, path, combined(profile, own))


def _check(configuration: Configuration) -> None:
    """Every name in one file must stand in the other, once."""
    seen: set[str] = set()
    for index, entry in enumerate(configuration.system.models):
        _check_model(configuration, index, entry)
        if entry.name in seen:
            key = f"models[{index}].name"
            raise BadValue(configuration.path, key, entry.name, "the model is listed twice")
        seen.add(entry.name)
    held = {name: u.asset_class for name, u in configuration.universes.universes.items()}
    paths = configuration.path, configuration.universes_path
    check_caps(paths, configuration.risk, configuration.system.risk, held)
    for name in configuration.system.sources:
        if name not in held:
            rule = f"{UNIVERSES_FILE} does not hold it; {suggestion(name, held)}"
            raise BadValue(configuration.path, f"sources.{name}", name, rule)
    if not configuration.traded:
        raise BadConfig(f"{configuration.models_path}: no model of the portfolio is active")
    _check_budgets(configuration)
    _check_accounts(configuration)
    _check_recorded(configuration)


def _check_accounts(configuration: Configuration) -> None:
    """Each traded universe trades at one account."""
    path, accounts = configuration.path, configuration.system.accounts
    traded, placed = configuration.traded_universes, dict[str, str]()
    for account, section in accounts.items():
        for universe in section.universes:
            key = f"accounts.{account}.universes"
            if universe in placed:
                rule = f"it trades at account {placed[universe]} already; a universe has one"
                raise BadValue(path, key, universe, rule)
            if universe not in traded:
                rule = f"no model of the portfolio trades it; {suggestion(universe, traded)}"
                raise BadValue(path, key, universe, rule)
            placed[universe] = account
    for universe in traded if accounts else ():
        if universe not in placed:
            raise BadConfig(
                f"{path}: universe {universe} trades at no account; list it under one of accounts: "
                f"{', '.join(accounts)}"
            )


def _check_recorded(configuration: Configuration) -> None:
    """Only paper and live trade candles that are still to come."""
    mode = configuration.system.system.mode
    if mode in ("paper", "live"):
        return
    for name, entry in configuration.traded_universes.items():
        if entry.venue is not None:
            place, key = configuration.source_place(name)
            rule = f"{mode} needs recorded bars; live candles are for mode: paper"
            raise BadValue(place, key, entry.source, rule)
    if configuration.system.clock is not None:
        raise BadConfig(f"{configuration.path}: clock is for mode: paper; {mode} has event time")


def _check_budgets(configuration: Configuration) -> None:
    """More than the whole equity is a loan, which must be asked for."""
    budgets = [Decimal(str(model.entry.budget_fraction)) for model in configuration.traded]
    leverage, total = configuration.risk.max_leverage, sum(budgets)
    given = "max_leverage" in configuration.risk.model_fields_set
    allowed = Decimal(str(leverage)) if leverage is not None else total
    if total <= (max(allowed, Decimal(1)) if given else 1):
        return
    added = " + ".join(str(budget) for budget in budgets)
    raise BadConfig(
        f"{configuration.path}: the budget_fraction of the active models add up to {total} "
        f"({added}); more than 1 needs risk.max_leverage of at least as much, which is "
        f"{leverage if given else 'not given'}"
    )


def _check_model(configuration: Configuration, index: int, entry: ModelEntry) -> None:
    described = configuration.models.models
    if entry.name not in described:
        rule = f"{MODELS_FILE} does not describe it; {suggestion(entry.name, described)}"
        raise BadValue(configuration.path, f"models[{index}].name", entry.name, rule)
    settings, universes = described[entry.name], configuration.universes.universes
    key, path = f"models.{entry.name}", configuration.models_path
    if settings.universe not in universes:
        rule = f"{UNIVERSES_FILE} does not hold it; {suggestion(settings.universe, universes)}"
        raise BadValue(path, f"{key}.universe", settings.universe, rule)
    held = universes[settings.universe].asset_class
    if settings.asset_classes and held not in settings.asset_classes:
        rule = f"universe {settings.universe} holds {held}"
        raise BadValue(path, f"{key}.asset_classes", list(settings.asset_classes), rule)
