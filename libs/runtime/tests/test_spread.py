"""Where lanes go, as a function of what the members of a service say."""

import json
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stratvector.runtime.members import Member, decode_member, encode_member
from stratvector.runtime.spread import heirs, moves, own_move, preference

COUNTED = 1_000


def member(name: str, owned: set[str], all_lanes: set[str], beats: int = COUNTED) -> Member:
    return Member(name, "", beats, tuple(sorted(owned)), (), tuple(sorted(all_lanes - owned)))


def with_engine(one: Member, engine: str, *wanted: tuple[str, str]) -> Member:
    return replace(one, engine=engine, wanted=wanted)


def members_of(held: Mapping[str, set[str]]) -> list[Member]:
    lanes = {lane for owned in held.values() for lane in owned}
    return [member(name, owned, lanes) for name, owned in held.items()]


@st.composite
def holdings(draw: st.DrawFn) -> dict[str, set[str]]:
    """Up to six members and what each of them owns."""
    names = [f"m{n}" for n in range(draw(st.integers(1, 6)))]
    held = {name: set[str]() for name in names}
    for number in range(draw(st.integers(0, 30))):
        held[draw(st.sampled_from(names))].add(f"signals.live.1.main.model{number}")
    return held


def after(held: Mapping[str, set[str]]) -> dict[str, set[str]]:
    moved = {name: set(owned) for name, owned in held.items()}
    for move in moves(members_of(held)):
        moved[move.owner].remove(move.lane)
        moved[move.heir].add(move.lane)
    return moved


@given(holdings())
def test_moves_leave_all_within_one_lane_of_each_other(held: dict[str, set[str]]) -> None:
    sizes = [len(owned) for owned in after(held).values()]
    assert max(sizes) - min(sizes) <= 1


@given(holdings())
def test_no_plan_has_fewer_moves(held: dict[str, set[str]]) -> None:
    """Who has more than its share gives what is above it, and nobody else gives anything."""
    sizes = sorted((len(owned) for owned in held.values()), reverse=True)
    share, larger = divmod(sum(sizes), len(sizes))
    fewest = sum(max(0, n - share - (i < larger)) for i, n in enumerate(sizes))
    assert len(moves(members_of(held))) == fewest


@given(holdings())
def test_what_is_balanced_stays(held: dict[str, set[str]]) -> None:
    assert moves(members_of(after(held))) == []


@given(holdings())
def test_members_that_come_in_another_order_plan_the_same(held: dict[str, set[str]]) -> None:
    members = members_of(held)
    assert moves(members) == moves(members[::-1])


@given(holdings())
def test_a_round_of_own_moves_uses_each_member_once_and_ends_in_balance(
    held: dict[str, set[str]],
) -> None:
    for _ in range(40):
        members = members_of(held)
        made = [move for name in held if (move := own_move(name, members)) is not None]
        touched = [name for move in made for name in (move.owner, move.heir)]
        assert len(touched) == len(set(touched))
        if not made:
            break
        for move in made:
            held[move.owner].remove(move.lane)
            held[move.heir].add(move.lane)
    assert moves(members_of(held)) == []


def test_a_preference_does_not_change_when_others_come_or_go() -> None:
    lanes = [f"signals.live.1.main.model{n}" for n in range(2_000)]

    def first(names: list[str]) -> list[str]:
        return [max(names, key=lambda name: preference(lane, name)) for lane in lanes]

    two, three = first(["a", "b"]), first(["a", "b", "c"])
    assert all(new in (old, "c") for old, new in zip(two, three, strict=True))
    assert 550 < three.count("c") < 780


def test_a_member_that_is_not_counted_yet_takes_nothing_and_gives() -> None:
    lanes = {"a", "b", "c"}
    young = member("young", set(), lanes, beats=3)
    assert moves([member("old", lanes, lanes), young]) == []
    giving = [member("young", lanes, lanes, beats=3), member("old", set(), lanes)]
    assert [move.heir for move in moves(giving)] == ["old"]


def test_who_can_not_work_on_a_lane_is_not_given_it() -> None:
    storeless = Member("storeless", "", COUNTED)
    assert moves([member("owner", {"a", "b", "c"}, {"a", "b", "c"}), storeless]) == []


def test_nothing_moves_while_a_lane_is_on_its_way() -> None:
    lanes = {"a", "b", "c", "on its way"}
    members = [member("one", {"a", "b", "c"}, lanes), member("two", set(), lanes)]
    assert own_move("one", members) is None
    settled = [member("one", {"a", "b", "c"}, lanes), member("two", {"on its way"}, lanes)]
    assert own_move("one", settled) is not None


def test_what_is_finished_or_halted_has_an_owner_and_does_not_move() -> None:
    keeps = Member("keeps", "", COUNTED, ("a", "b"), ("ended",), ())
    other = Member("other", "", COUNTED, (), (), ("a", "b", "ended"))
    move = own_move("keeps", [keeps, other])
    assert move is not None
    assert move.lane in ("a", "b")


@given(holdings())
def test_who_leaves_names_an_heir_for_each_lane_and_loads_them_alike(
    held: dict[str, set[str]],
) -> None:
    balanced = after(held)
    members, leaving = members_of(balanced), min(balanced)
    named = heirs(leaving, members)
    others = [name for name in balanced if name != leaving]
    if not others:
        assert named == {}
        return
    assert set(named) == balanced[leaving]
    assert leaving not in named.values()
    loads = [len(balanced[name]) + list(named.values()).count(name) for name in others]
    assert max(loads) - min(loads) <= 1


@given(holdings())
def test_a_member_is_read_as_it_was_written(held: dict[str, set[str]]) -> None:
    for one in members_of(held):
        assert decode_member(encode_member(one)) == one


def test_a_lane_moves_to_the_engine_that_its_chapter_names_and_to_no_other() -> None:
    lanes = {"a", "b", "c"}
    owner = member("owner", lanes, lanes)
    newcomer = with_engine(member("newcomer", set(), lanes), "new")
    assert moves([with_engine(owner, "old"), newcomer]) == []
    wanted = with_engine(owner, "old", ("b", "new"))
    assert [(one.lane, one.heir) for one in moves([wanted, newcomer])] == [("b", "newcomer")]
    other = with_engine(member("other", set(), lanes), "third")
    assert moves([wanted, other]) == []


def test_who_leaves_names_an_heir_with_the_engine_of_the_chapter_where_there_is_one() -> None:
    lanes = {"a", "b"}
    leaving = with_engine(member("leaving", lanes, lanes), "old", ("b", "new"))
    old = with_engine(member("older", set(), lanes), "old")
    new = with_engine(member("newer", set(), lanes), "new")
    assert heirs("leaving", [leaving, old, new]) == {"a": "older", "b": "newer"}
    assert heirs("leaving", [leaving, new]) == {"a": "newer", "b": "newer"}


def test_a_member_of_a_version_without_engines_is_read() -> None:
    lanes: dict[str, list[str]] = {"owned": [], "kept": [], "standing_by": []}
    told = {"instance": "i", "address": "", "beats": 2, **lanes}
    assert decode_member(json.dumps(told).encode()) == Member("i", "", 2)
