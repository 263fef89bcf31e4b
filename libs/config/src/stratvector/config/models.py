"""models.yaml: what each model trades, and with which parameters."""

from typing import Any

from pydantic import Field

from stratvector.config.sections import Section


class ModelSettings(Section):
    """One model. asset_classes : what its universe may hold. active : False leaves it out."""

    universe: str
    asset_classes: tuple[str, ...] = ()
    active: bool = True
    parameters: dict[str, Any] = Field(default_factory=dict)


class ModelsFile(Section):
    """The whole of models.yaml."""

    models: dict[str, ModelSettings] = Field(default_factory=dict)
