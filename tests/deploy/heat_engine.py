"""Validates and renders templates by Heat's own engine, without any cloud.

    build/heat-27.0.1/bin/python tests/deploy/heat_engine.py < question.json

Runs in the venv that tools/heat.sh makes. Reads

    {"files": {NAME: TEXT}, "cases": [{"template": TEXT, "parameters": {…}}],
     "resources": {NAME: {ATTRIBUTE: VALUE}}}        (an attribute within another: `a.0.b`)

and prints

    {"errors": […], "properties": {RESOURCE: {…}}, "outputs": {NAME: …}}

per case Heat's error, null for what is valid; the first case's properties and outputs where its
resources have those attributes. Whether an image, flavor, key or network of that name exists is not
asked: no cloud is there.
"""

import json
import sys
from typing import Any

from heat.common import context, template_format
from heat.engine import (
    constraints,
    environment,
    node_data,
    resource,
    resources,
    stack,
    stk_defn,
    template,
)
from oslo_config import cfg


def stack_of(case: dict[str, Any], files: dict[str, str]) -> Any:
    """A stack that is nowhere. Raises what Heat raises."""
    parsed = template.Template(
        template_format.parse(case["template"]),
        files=files,
        env=environment.Environment({"parameters": case["parameters"]}),
    )
    return _nobodys(parsed)


def error(case: dict[str, Any], asked: dict[str, Any]) -> str | None:
    """What Heat refuses in one case; None where it is valid."""
    try:
        made = stack_of(case, asked["files"])
        made.validate(validate_res_tmpl_only=True)
        # Heat takes no look at a value that has yet to come from a resource: now it has.
        give(made, asked["resources"])
        for one in made.values():
            one.validate_template()
            if "resource" in one.properties:  # of a group
                _nobodys(_member(one.properties["resource"])).validate(validate_res_tmpl_only=True)
    except Exception as refused:  # noqa: BLE001 - whatever Heat raises is what is asked for
        return f"{type(refused).__name__}: {refused}"
    return None


def give(made: Any, attributes: dict[str, dict[str, Any]]) -> None:
    """Let the stack's resources be there, with these attributes; each is known by its own name."""
    for name in made:
        values = {_path(key): value for key, value in attributes.get(name, {}).items()}
        known = node_data.NodeData(1, name, name, name, values, "CREATE", "COMPLETE")
        stk_defn.update_resource_data(made.defn, name, known)


def properties(made: Any) -> dict[str, Any]:
    """What each resource would be created with."""
    return {name: dict(one.properties.items()) for name, one in made.items()}


def outputs(made: Any) -> dict[str, Any]:
    """What `openstack stack output show` would print."""
    return {name: one.get_value() for name, one in made.outputs.items()}


def _nobodys(parsed: Any) -> Any:
    return stack.Stack(_nobody(), "checked", parsed)


def _member(resource_of_group: dict[str, Any]) -> Any:
    return template.Template(
        {"heat_template_version": "2018-08-31", "resources": {"member": resource_of_group}}
    )


def _path(key: str) -> str | tuple[str | int, ...]:
    """`fixed_ips.0.ip_address` as Heat keeps it."""
    parts = [int(part) if part.isdigit() else part for part in key.split(".")]
    return key if len(parts) == 1 else tuple(parts)


def _nobody() -> Any:
    return context.RequestContext.from_dict(
        {"username": "nobody", "password": "", "auth_token": "none", "roles": [], "is_admin": False}
        | dict.fromkeys(("tenant_id", "tenant", "user_id"), "nobody")
        | {"auth_url": "http://127.0.0.1:1/v3", "trust_id": None, "region_name": None}
    )


def _without_cloud() -> None:
    """Every service is there, and a constraint that would ask a cloud only asks for a value."""
    resource.Resource.is_service_available = classmethod(lambda _cls, _context: (True, None))
    for known in resources.global_env().constraints.values():
        if known.validate is constraints.BaseCustomConstraint.validate:
            known.validate = lambda self, value, *_args, **_more: bool(value)


def main() -> None:
    cfg.CONF([], project="heat")
    resources.initialise()
    _without_cloud()
    asked = json.load(sys.stdin)
    cases = asked["cases"]
    made = stack_of(cases[0], asked["files"])
    give(made, asked["resources"])
    answer = {
        "errors": [error(case, asked) for case in cases],
        "properties": properties(made),
        "outputs": outputs(made),
    }
    json.dump(answer, sys.stdout, default=str)


if __name__ == "__main__":
    main()
