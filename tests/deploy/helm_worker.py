"""Helm's engine and Kubernetes' schemas behind a pipe, run by the venv of tools/helm.sh.

Each line in is a question, {"ask": NAME, …}; each line out its answer, {"answer": …} or {"error":
a sentence}. A process that stays: its libraries take a second to load, a render some hundredths.
"""

import json
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import helm_python as helm  # type: ignore[import-not-found]
import kubernetes_validate  # type: ignore[import-not-found]
import yaml

NAMESPACE = "trading"
Object = dict[str, Any]

# It reads its files anew for each object.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


@cache
def chart(folder: str) -> Any:
    """The chart, loaded once."""
    return helm.Chart.load(folder)


def render(folder: str, values: Object, release: str) -> dict[str, Any]:
    """Every object, and the notes."""
    files = chart(folder).render(values, name=release, namespace=NAMESPACE, is_install=True)
    notes = [text for name, text in files.items() if name.endswith("NOTES.txt")]
    objects = [
        document
        for name, text in sorted(files.items())
        if not name.endswith("NOTES.txt")
        for document in yaml.load_all(text, Loader=yaml.CSafeLoader)
        if document
    ]
    return {"objects": objects, "notes": "".join(notes)}


def lint(folder: str, values: Object, version: str) -> list[str]:
    """What a strict lint finds, remarks apart."""
    report = helm.lint(folder, values, strict=True, kube_version=f"v{version}.0")
    found = [one["error"] for one in report["messages"] if one["severity"] > 1]
    return [*found, *report["errors"]]


def validate(objects: list[Object], version: str) -> list[str]:
    """What Kubernetes' own schemas of a version refuse."""
    found = []
    for one in objects:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except (
            kubernetes_validate.ValidationError,
            kubernetes_validate.SchemaNotFoundError,
        ) as error:
            found.append(f"{_name(one)} ({version}): {getattr(error, 'message', error)}"[:300])
    return found


def validate_custom(objects: list[Object]) -> list[str]:
    """What the models of kube-prometheus-stack and KEDA refuse."""
    found = []
    for one in objects:
        try:
            _model(one["apiVersion"], one["kind"]).model_validate(one, extra="forbid")
        except ValueError as error:
            found.append(f"{_name(one)}: {error}"[:600])
    return found


def package(folder: str, destination: str) -> str:
    """The archive's path."""
    return str(helm.package(folder, destination=destination))


@cache
def _model(version: str, kind: str) -> Any:
    if version == "keda.sh/v1alpha1":
        from cloudcoil.models.keda import v1alpha1 as models  # type: ignore[import-not-found]
    else:
        from cloudcoil.models.prometheus_operator import (  # type: ignore[import-not-found]
            v1 as models,
        )
    return getattr(models, kind)


def _name(one: Object) -> str:
    return f"{one['kind']} {one['metadata']['name']}"


ASKED: dict[str, Callable[..., Any]] = {
    one.__name__: one for one in (render, lint, validate, validate_custom, package)
}


def main() -> None:
    """Answer until the pipe ends."""
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"answer": ASKED[question.pop("ask")](**question)}
        except helm.HelmError as error:
            answer = {"error": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
