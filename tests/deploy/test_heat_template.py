"""The OpenStack template by Heat's own engine: valid, rendered, each planted error refused."""

import copy
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "openstack"
ENGINE = ROOT / "build" / "heat-27.0.1" / "bin" / "python"
FILES = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir() if path.is_file()}
TEMPLATE: dict[str, Any] = yaml.safe_load(FILES["stratvector.hot"])
PARAMETERS: dict[str, Any] = yaml.safe_load(FILES["parameters.yaml"])["parameters"]
MADE: dict[str, dict[str, Any]] = {
    "app_port": {"fixed_ips.0.ip_address": "10.90.0.5"},
    "monitoring_port": {"fixed_ips.0.ip_address": "10.90.0.6"},
    "app_address": {"floating_ip_address": "198.51.100.5"},
    "monitoring_address": {"floating_ip_address": "198.51.100.6"},
    "worker_key": {"public_key": "ssh-rsa AAAA", "private_key": "-----BEGIN\nKEY\n"},
    "app_handle": {"curl_cli": "curl -i -X POST -H 'X-Auth-Token: t' http://heat/app"},
    "monitoring_handle": {"curl_cli": "curl -i -X POST http://heat/monitoring"},
    "app_ready": {"data": '{"app": "ssh-ed25519 BBBB"}'},
    "grafana_password": {"value": "sesame"},
    "workers": {"current_size": 1},
    "worker_more": {"signal_url": "http://heat/more"},
    "worker_fewer": {"signal_url": "http://heat/fewer"},
}
"""Attributes of resources, as a cloud would give them."""

Template = dict[str, Any]


def of(name: str) -> Callable[[Template], Template]:
    """The properties of one resource."""
    return lambda template: template["resources"][name].setdefault("properties", {})


def put(
    place: Callable[[Template], Any], key: Any, value: Any
) -> Callable[[Template, Template], None]:
    return lambda template, _parameters: place(template).__setitem__(key, value)


def given(name: str, value: Any) -> Callable[[Template, Template], None]:
    return lambda _template, parameters: parameters.__setitem__(name, value)


def first_rule(template: Template) -> Any:
    return of("app_group")(template)["rules"][0]


def worker(template: Template) -> Any:
    return of("workers")(template)["resource"]


PLANTED: dict[str, tuple[Callable[[Template, Template], Any], str]] = {
    "unknown property": (put(of("subnet"), "colour", "red"), "Unknown Property colour"),
    "unknown type of resource": (
        lambda template, _: template["resources"]["router"].update(type="OS::Neutron::Ruoter"),
        "OS::Neutron::Ruoter",
    ),
    "unknown section": (lambda template, _: template.update(resuorces={}), "resuorces"),
    "missing property": (
        lambda template, _: of("data_attachment")(template).pop("instance_uuid"),
        "instance_uuid",
    ),
    "size that is no number": (put(of("data_volume"), "size", "large"), "large"),
    "flag that is no flag": (put(of("worker_key"), "save_private_key", "perhaps"), "perhaps"),
    "list that is a word": (put(of("app_port"), "security_groups", 7), "security_groups"),
    "port out of range": (put(first_rule, "port_range_max", 70000), "70000"),
    "mode of a rule": (put(first_rule, "remote_mode", "anybody"), "anybody"),
    "CIDR of the subnet": (put(of("subnet"), "cidr", "10.90.0.0/99"), "10.90.0.0/99"),
    "reference to no resource": (
        put(of("router_interface"), "router", {"get_resource": "ruoter"}),
        "ruoter",
    ),
    "attribute of no resource": (
        lambda template, _: template["outputs"]["console_url"].update(
            value={"get_attr": ["nowhere", "address"]}
        ),
        "nowhere",
    ),
    "parameter that is not declared": (
        put(of("subnet"), "cidr", {"get_param": "subnet_cdir"}),
        "subnet_cdir",
    ),
    "condition that is not declared": (
        lambda template, _: template["resources"]["worker_busy"].update(condition="busy"),
        "busy",
    ),
    "circle": (
        lambda template, _: template["resources"]["network"].update(depends_on="app_server"),
        "Circular",
    ),
    "file that is not there": (
        put(of("app_boot"), "cloud_config", {"get_file": "nowhere.sh"}),
        "nowhere.sh",
    ),
    "policy of updates": (put(of("app_server"), "user_data_update_policy", "WAIT"), "WAIT"),
    "way of adjusting": (put(of("worker_more"), "adjustment_type", "double"), "double"),
    "fewest workers below none": (given("worker_count_min", -1), "worker_count_min"),
    "worker's unknown property": (
        lambda template, _: worker(template)["properties"].update(colour="red"),
        "colour",
    ),
    "given: too many strategies": (given("strategy_count", 17), "strategy_count"),
    "given: CIDR of operators": (given("operator_cidr", "203.0.113.0/33"), "operator_cidr"),
    "given: hash": (given("config_sha256", "abc"), "config_sha256 must be 64 digits"),
    "given: address of another kind": (
        given("config_url", "ftp://here/it"),
        "config_url must begin",
    ),
    "given: address too long": (given("config_url", "https://" + "a" * 250), "at most 255"),
    "given: flag": (given("autoscale_workers", "perhaps"), "autoscale_workers"),
    "given: volume too small": (given("data_volume_gb", 1), "data_volume_gb"),
    "given: undeclared": (given("strategy_cuont", 2), "strategy_cuont"),
    "not given": (lambda _, parameters: parameters.pop("key_name"), "key_name"),
}


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    """Of Heat's engine to the template, with and without its alarms, and to each planted error."""
    if not ENGINE.exists():
        pytest.skip("Heat's engine is not there; `make heat-test` installs it")
    whole = FILES["stratvector.hot"]
    cases = [
        {"template": whole, "parameters": PARAMETERS | {"autoscale_workers": scaled}}
        for scaled in (True, False)
    ]
    for plant, _ in PLANTED.values():
        template, parameters = copy.deepcopy(TEMPLATE), copy.deepcopy(PARAMETERS)
        plant(template, parameters)
        cases.append({"template": yaml.safe_dump(template), "parameters": parameters})
    question = {"files": FILES, "cases": cases, "resources": MADE}
    engine = Path(__file__).with_name("heat_engine.py")
    run = subprocess.run(
        [ENGINE, engine], input=json.dumps(question), capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr[-2000:]
    told: dict[str, Any] = json.loads(run.stdout)
    return told


def test_template_and_parameters_are_valid_with_and_without_alarms(answer: dict[str, Any]) -> None:
    assert answer["errors"][:2] == [None, None]


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_refused_and_named(answer: dict[str, Any], name: str) -> None:
    error = answer["errors"][2 + list(PLANTED).index(name)]
    assert error is not None, "Heat took it"
    assert PLANTED[name][1] in error


@pytest.mark.parametrize("role", ["app", "monitoring", "worker"])
def test_a_server_is_told_once_what_never_changes(answer: dict[str, Any], role: str) -> None:
    config = answer["properties"][f"{role}_boot"]["cloud_config"]
    text = yaml.safe_dump(config)
    files = {one["path"]: one for one in yaml.safe_load(text)["write_files"]}
    assert files["/opt/stratvector/update"]["content"] == FILES["update.sh"]
    assert files["/opt/stratvector/prepare"]["content"] == FILES["prepare.sh"]
    assert config["runcmd"] == [["/opt/stratvector/prepare"]]
    assert f"ROLE={role}\n" in files["/etc/stratvector/server.env"]["content"]
    assert files["/etc/stratvector/server.env"]["permissions"] == "0600"
    assert len(text) < 48 * 1024, "Nova takes 64 kB in base64"
    for one in files.values():
        if one["content"].startswith("#!"):
            subprocess.run(["bash", "-n"], input=one["content"], text=True, check=True)


def test_the_files_of_a_server_hold_what_its_role_needs(answer: dict[str, Any]) -> None:
    facts = {
        role: {one["path"]: one["content"] for one in boot["cloud_config"]["write_files"]}
        for role in ("app", "monitoring", "worker")
        for boot in [answer["properties"][f"{role}_boot"]]
    }
    server = "/etc/stratvector/server.env"
    assert facts["app"][server] == "ROLE=app\nVOLUME_ID=data_volume\n"
    assert facts["monitoring"][server] == (
        "ROLE=monitoring\nVOLUME_ID=monitoring_volume\nGRAFANA_PASSWORD=sesame\n"
    )
    assert facts["app"]["/etc/stratvector/notify"] == MADE["app_handle"]["curl_cli"]
    assert "/etc/stratvector/notify" not in facts["worker"]
    assert json.loads(facts["worker"]["/etc/stratvector/app_told.json"]) == {
        "app": "ssh-ed25519 BBBB"
    }
    assert "/etc/stratvector/worker_key" not in facts["app"]
    users = answer["properties"]["app_boot"]["cloud_config"]["users"]
    assert users[1]["ssh_authorized_keys"] == [
        'restrict,command="cat /var/lib/stratvector/worker.tar" ssh-rsa AAAA'
    ]


def test_what_changes_reaches_servers_by_metadata_and_replaces_none(answer: dict[str, Any]) -> None:
    made = answer["properties"]
    worker_made = made["workers"]["resource"]["properties"]
    for server in (made["app_server"], made["monitoring_server"], worker_made):
        assert server["user_data_update_policy"] == "IGNORE"
        told = server["metadata"]
        assert told["config_url"] == PARAMETERS["config_url"]
        assert told["config_sha256"] == PARAMETERS["config_sha256"]
        assert told["app_address"] == "10.90.0.5"
        assert told["monitoring_address"] == "10.90.0.6"
        assert all(len(value) <= 255 for value in told.values()), "Nova's limit"
    counts = made["app_server"]["metadata"]["counts"]
    assert counts == "strategy=1 risk=1 execution=1 ledger=1 monte_carlo=1"


def test_only_the_networks_of_operators_and_of_the_stack_reach_a_server(
    answer: dict[str, Any],
) -> None:
    made = answer["properties"]
    for group, ports in {
        "app_group": {22, 8000, 8080},
        "monitoring_group": {22, 3000, 9091, 9093},
    }.items():
        open_to_operators = set()
        for rule in made[group]["rules"]:
            if rule["remote_mode"] == "remote_group_id":
                assert rule["remote_group_id"] in {"app_group", "worker_group"}
                continue
            assert rule["remote_ip_prefix"] == PARAMETERS["operator_cidr"]
            assert rule["port_range_min"] == rule["port_range_max"]
            open_to_operators.add(rule["port_range_min"])
        assert open_to_operators == ports
    assert made["worker_group"]["rules"] == []


def test_alarms_grow_and_shrink_the_group_of_workers(answer: dict[str, Any]) -> None:
    made = answer["properties"]
    assert made["worker_busy"]["alarm_actions"] == ["trust+http://heat/more"]
    assert made["worker_idle"]["alarm_actions"] == ["trust+http://heat/fewer"]
    assert made["worker_more"]["scaling_adjustment"] == 1
    assert made["worker_fewer"]["scaling_adjustment"] == -1
    assert (made["workers"]["min_size"], made["workers"]["max_size"]) == (0, 4)
    assert json.loads(made["worker_busy"]["query"])["="].keys() == {"server_group"}


def test_outputs_are_addresses_to_open(answer: dict[str, Any]) -> None:
    outputs = answer["outputs"]
    assert outputs["console_url"] == "https://198.51.100.5:8000"
    assert outputs["grafana_url"] == "http://198.51.100.6:3000"
    assert outputs["prometheus_url"] == "http://198.51.100.6:9091"
    assert outputs["alertmanager_url"] == "http://198.51.100.6:9093"
    assert outputs["drift_url"] == "https://198.51.100.5:8080/report.json"


def test_the_parameters_file_names_only_declared_parameters_and_all_that_have_no_default() -> None:
    declared = TEMPLATE["parameters"]
    assert PARAMETERS.keys() <= declared.keys()
    assert {name for name, one in declared.items() if "default" not in one} <= PARAMETERS.keys()


def test_every_parameter_is_used() -> None:
    used = set(re.findall(r"get_param: ([a-z_0-9]+)", FILES["stratvector.hot"]))
    assert used == TEMPLATE["parameters"].keys()
