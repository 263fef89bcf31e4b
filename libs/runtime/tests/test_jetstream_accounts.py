"""The accounts' text: generated from the flow, accepted by the server, narrow."""

import re
import subprocess
from pathlib import Path

import pytest

from stratvector.runtime.jetstream.accounts import (
    APPLY,
    ON_FLOW,
    OPERATOR,
    PROVISIONER,
    USERS,
    accounts_config,
    grants,
)
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.jetstream.server import find_binary
from stratvector.runtime.jetstream.server_config import ServerSettings, server_config
from stratvector.runtime.jetstream.topology import buckets, streams
from stratvector.trading.flow import FLOW, produced_by, read_by

EXPORT = r'\{(?:service|stream): "([^"]+)".*accounts: \[([^\]]+)\]\}'


def subjects_of(user: str) -> set[str]:
    return {one.subject for one in grants() if one.user == user}


def check(text: str, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    file = tmp_path / "server.conf"
    file.write_text(text)
    command = [find_binary(), "-c", str(file), "-t"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_the_server_accepts_the_generated_configuration(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path / "keys")
    accounts = accounts_config({user: keys.ensure(user) for user in USERS})
    settings = ServerSettings(tmp_path / 'a "quoted" store', 4222, monitor_port=8222)
    checked = check(server_config(settings, "test", accounts), tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "is valid" in checked.stderr


def test_a_key_that_is_none_would_be_found(tmp_path: Path) -> None:
    accounts = accounts_config(dict.fromkeys(USERS, "UNKNOWN"))
    checked = check(server_config(ServerSettings(tmp_path, 4222), "test", accounts), tmp_path)
    assert checked.returncode != 0
    assert "Not a valid public nkey" in checked.stderr


def test_every_user_needs_a_key() -> None:
    with pytest.raises(KeyError, match="operator"):
        accounts_config({user: user for user in USERS if user != OPERATOR})


def test_every_subject_is_exported_to_exactly_the_users_that_import_it() -> None:
    text = accounts_config({user: user for user in USERS})
    exported = {
        (user, subject)
        for subject, users in re.findall(EXPORT, text)
        for user in re.findall(r'"([^"]+)"', users)
    }
    assert exported == {(one.user, one.subject) for one in grants()}
    imported = re.findall(r'account: "FLOW", subject: "([^"]+)"', text)
    assert sorted(imported) == sorted(one.subject for one in grants())


@pytest.mark.parametrize("noun", [one.noun for one in FLOW])
def test_only_its_producer_may_publish_a_noun_or_own_its_lanes(noun: str) -> None:
    for subject in (f"{noun}.>", f"$KV.owners.owner.{noun}.>"):
        users = {one.user for one in grants() if one.subject == subject}
        assert users == {one.producer for one in FLOW if one.noun == noun}


@pytest.mark.parametrize("service", ON_FLOW)
def test_a_service_reads_the_streams_that_it_produces_or_consumes(service: str) -> None:
    read = {
        subject.removeprefix("$JS.API.DIRECT.GET.")
        for subject in subjects_of(service)
        if subject.startswith("$JS.API.DIRECT.GET.") and subject.count(".") == 4
    }
    wanted = {"KV_documents"} if service == "risk" else set()
    members = {"KV_members"} if produced_by(service) else set()
    streams = {one.stream for one in (*produced_by(service), *read_by(service))}
    assert read == streams | wanted | members


@pytest.mark.parametrize("service", ON_FLOW)
def test_a_service_hears_the_nouns_that_it_consumes(service: str) -> None:
    heard = {one.subject for one in grants() if one.user == service and one.heard}
    assert heard == {f"stored.{one.noun}.>" for one in FLOW if service in one.consumers}


@pytest.mark.parametrize("user", [*ON_FLOW, OPERATOR])
def test_no_service_holds_a_call_that_makes_changes_or_removes(user: str) -> None:
    calls = {s for s in subjects_of(user) if s.startswith("$JS.API.")}
    assert [call for call in calls if not call.startswith("$JS.API.DIRECT.GET.")] == []


def test_a_service_quarantines_under_its_own_name_only() -> None:
    for service in ON_FLOW:
        keys = {s for s in subjects_of(service) if s.startswith("$KV.quarantine.")}
        assert keys == {f"$KV.quarantine.{service}.>"}


def test_a_service_with_lanes_says_who_of_it_is_there_and_only_that() -> None:
    for service in ON_FLOW:
        keys = {s for s in subjects_of(service) if s.startswith("$KV.members.")}
        assert keys == ({f"$KV.members.{service}.>"} if produced_by(service) else set())


def test_the_operator_reads_everything_and_writes_nothing() -> None:
    assert subjects_of(OPERATOR) == {
        subject
        for stream in (*streams(), *buckets())
        for subject in (
            f"$JS.API.DIRECT.GET.{stream.name}",
            f"$JS.API.DIRECT.GET.{stream.name}.{stream.subjects}",
        )
    }


def test_only_who_applies_may_write_what_is_wanted_and_of_the_services_only_risk_reads_it() -> None:
    documents = {(one.user, one.subject) for one in grants() if "documents" in one.subject}
    assert {user for user, subject in documents if subject == "$KV.documents.>"} == {APPLY}
    assert {user for user, _ in documents} == {"risk", OPERATOR, APPLY}
    assert subjects_of(APPLY) == subjects_of(OPERATOR) | {"$KV.documents.>", "$KV.holds.>"}


def test_only_who_applies_may_release_what_is_held_and_only_execution_asks_whether_it_is() -> None:
    holds = {(one.user, one.subject) for one in grants() if "holds" in one.subject}
    assert {user for user, subject in holds if subject == "$KV.holds.>"} == {APPLY}
    assert {user for user, _ in holds} == {"execution", OPERATOR, APPLY}


def test_the_provisioner_is_the_only_user_of_the_account_that_owns_the_streams() -> None:
    text = accounts_config({user: f"key of {user}" for user in USERS})
    flow = text.split('"market_data" {')[0]
    assert re.findall(r"nkey: \"([^\"]+)\"", flow) == [f"key of {PROVISIONER}"]
    assert text.count("jetstream: enabled") == 1
