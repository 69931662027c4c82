"""The matrix of role and permission, as text: a change of rights is a diff."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.guard.errors import KeptByRooms
from nagara.guard.identity import ANONYMOUS, Actor
from nagara.guard.permission import PERMISSIONS
from nagara.guard.policy import (
    KEPT_BY_ROOMS,
    KEPT_OF_ANY_CITY,
    MATRIX,
    ROLES,
    TYPE_CLASS,
    Keeping,
    for_accounts,
    for_tokens,
    may,
    may_give,
    render,
    visible_types,
)
from nagara.values.ids import given_pattern, is_given, urn

GOLDEN = Path(__file__).with_name("policy.txt")
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "roles.md"
BEGIN, END = "<!-- policy: begin -->\n", "<!-- policy: end -->\n"


def page_with_policy(text: str) -> str:
    """The page of the manual with the table between its marks."""
    before, _, rest = text.partition(BEGIN)
    roles = "".join(f"| {role} | {said} |\n" for role, said in ROLES.items())
    table = f"| role | who |\n| --- | --- |\n{roles}\n```text\n{render()}```\n"
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"


def actor(*roles: str) -> Actor:
    return Actor(kind="account", id="1", name="somebody", roles=roles)


def test_the_policy_is_the_one_that_was_reviewed() -> None:
    assert render() == GOLDEN.read_text(encoding="utf-8"), (
        "rights have changed: review them, then run `python tests/golden/test_policy.py`"
    )


def test_the_manual_shows_the_same_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page_with_policy(text)


def test_every_permission_is_held_by_somebody_and_known() -> None:
    assert set().union(*MATRIX.values()) == set(PERMISSIONS)


def test_a_stranger_writes_nothing_but_a_report_and_what_is_his_own() -> None:
    acts = {name for name in MATRIX["anonymous"] if not name.endswith(":read")}
    assert acts == {
        "account:open",
        "federation:exchange",  # an installation shows its signature, not an account
        "person:forget",
        "report:create",
        "report:follow",
        "report:rate",
    }


def test_a_device_only_sends() -> None:
    assert MATRIX["device"] == {"ingest:write"}


def test_residents_and_partners_see_no_private_data() -> None:
    for role in ("anonymous", "resident", "partner", "device", "chief", "steward"):
        assert "person:read" not in MATRIX[role]
    for role in ("anonymous", "resident", "partner", "device"):
        assert not {"case:read", "photo:read", "account:read", "audit:read"} & MATRIX[role]


def test_an_administrator_can_give_every_role_and_nobody_else_his() -> None:
    assert all(may_give(["administrator"], role) for role in ROLES)
    for role in set(ROLES) - {"administrator"}:
        assert not may_give([role], "administrator")


def test_roles_that_are_nobodys() -> None:
    assert for_accounts() == set(ROLES) - {"anonymous", "device"}
    assert for_tokens() == set(ROLES) - {"anonymous", "resident"}


@pytest.mark.parametrize("roles", [(), ("anonymous",), ("no-such-role",)])
def test_an_unknown_role_adds_nothing(roles: tuple[str, ...]) -> None:
    known = {name for name in PERMISSIONS if may(actor(*roles), name)}
    assert known == (set() if roles == ("no-such-role",) else set(MATRIX["anonymous"]))


def test_what_each_may_see_through_the_standard_apis() -> None:
    stranger = visible_types(ANONYMOUS)
    assert stranger.allows(["AirQualityObserved"])
    assert stranger.allows(["Alert"])
    assert not stranger.allows(["Case"])
    assert not stranger.allows(["Device"])
    assert not stranger.allows(["SomethingNobodyThoughtOf"])
    # An entity of two types is as closed as the more closed of them.
    assert not stranger.allows(["AirQualityObserved", "Device"])
    for role in ("staff", "crew"):  # by the room alone, which knows whose a case is
        assert not visible_types(actor(role)).allows(["Case"])
    for role in ("officer", "steward", "chief", "administrator"):
        assert visible_types(actor(role)).allows(["Case"])
    assert not visible_types(actor("crew")).allows(["Device"])
    assert visible_types(actor("steward")).allows(["SomethingNobodyThoughtOf", "Device"])
    assert visible_types(actor("crew", "chief")).allows(["Device"])
    assert not visible_types(actor("partner")).allows(["Case"])
    everything = visible_types(actor("administrator"))
    assert all(everything.allows([name]) for name in TYPE_CLASS)


@pytest.mark.parametrize("kept", ["Alert", "Case", "Device", "Indicator"])
def test_what_the_rooms_keep_is_not_written_past_them(kept: str) -> None:
    keeping, own = Keeping("th-bkk"), f"urn:ngsi-ld:{kept}:th-bkk:1"
    keeping.demand_free("", f"urn:ngsi-ld:{kept}:1")
    keeping.demand_free("", f"urn:ngsi-ld:Building:th-bkk:{kept}")
    with pytest.raises(KeptByRooms):
        keeping.demand_free("", own)
    keeping.demand_free("another-tenant", own)
    Keeping().demand_free("", own)  # no room is at work


@given(st.sampled_from(sorted(KEPT_BY_ROOMS)), st.text(), st.sampled_from(["th-bkk", "xx", ""]))
def test_whatever_id_a_room_gives_is_kept(type_: str, local: str, other: str) -> None:
    keeping = Keeping("th-bkk")
    assert keeping.holds("", urn(type_, "th-bkk", local))
    assert is_given(urn(type_, "th-bkk", local), type_, "th-bkk")
    given_elsewhere = urn(type_, other, local)
    assert keeping.holds("", given_elsewhere) == (other == "th-bkk" or type_ in KEPT_OF_ANY_CITY)
    assert is_given(given_elsewhere, type_)
    for one in (urn(type_, "th-bkk", local), given_elsewhere, local, f"urn:ngsi-ld:{type_}:x"):
        for code in ("th-bkk", None):
            found = re.search(given_pattern(type_, code), one, re.DOTALL) is not None
            assert found == is_given(one, type_, code)


if __name__ == "__main__":
    GOLDEN.write_text(render(), encoding="utf-8")
    PAGE.write_text(page_with_policy(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"written: {GOLDEN}, {PAGE}\n")
