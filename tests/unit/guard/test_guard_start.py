"""Starting a city's guard: first administrator, demo accounts, keys on the disk, the anchor."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from nagara.guard import Guard
from nagara.guard.accounts import NewAccount
from nagara.guard.anchors import anchor_path, last_anchor
from nagara.guard.errors import PasswordTooEasy, PasswordTooShort, UsernameInvalid
from nagara.guard.keyring import ShelfKeys, load_key, secrets_folder
from nagara.guard.passwords import check_strength, random_password
from unit.guard.doors import Wall, add_account

DEMO = (
    NewAccount("niran", "Officer Niran", ("officer",)),
    NewAccount("malee", "Malee of the roads", ("staff",), ("roads",)),
)


async def test_the_demo_shows_the_same_passwords_at_the_second_start(
    guard: Guard, make_guard: Callable[..., Guard]
) -> None:
    first = await guard.demo_accounts(DEMO)
    again = make_guard()
    assert await again.start() is None
    second = await again.demo_accounts(DEMO)
    assert first == second
    for who in second:
        account, _ = await again.log_in(who.username, who.password, "10.0.0.1")
        assert account.username == who.username
    remembered = guard.data_dir / "secrets" / "demo-accounts.json"
    assert stat.S_IMODE(remembered.stat().st_mode) == 0o600


async def test_a_demo_account_whose_password_was_changed_gets_one_that_works(
    guard: Guard,
) -> None:
    first = await guard.demo_accounts(DEMO)
    await guard.reset_password("niran")
    second = await guard.demo_accounts(DEMO)
    assert second[0].password != first[0].password
    assert second[1] == first[1]
    await guard.log_in("niran", second[0].password, "10.0.0.1")


async def test_two_starts_at_once_make_one_administrator(make_guard: Callable[..., Guard]) -> None:
    one, other = make_guard(), make_guard()
    made = await asyncio.gather(one.start(), other.start())
    assert sum(credentials is not None for credentials in made) == 1


async def test_secrets_are_the_citys_alone(guard: Guard) -> None:
    folder = guard.data_dir / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert {file.name for file in files} >= {"persons.json", "log-in.key", "device.key"}
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


async def test_a_start_on_a_shortened_audit_says_so_at_once(
    guard: Guard, make_guard: Callable[..., Guard]
) -> None:
    await guard.anchor()
    again = make_guard()
    with capture_logs() as quiet:
        await again.start()
    assert not [line for line in quiet if line["log_level"] == "error"]
    async with guard.db.acquire() as conn, conn.transaction():
        await conn.execute("set local session_replication_role = replica")
        await conn.execute("delete from guard.audit")
    with capture_logs() as loud:
        await again.start()
    assert [line["event"] for line in loud] == ["guard.audit_is_not_the_anchored_one"]


async def test_an_idle_city_writes_no_anchors(guard: Guard, wall: Wall) -> None:
    assert await guard.anchor()
    wall.pass_(days=3)
    assert not await guard.anchor()
    await add_account(guard, "niran", "officer")
    assert await guard.anchor()
    path = anchor_path(guard.data_dir)
    assert len(path.read_text().splitlines()) == 2
    newest = last_anchor(path)
    assert newest is not None
    assert newest.at == "2026-11-24T03:00:00Z"


# --- keys on the disk -------------------------------------------------------------------------


def test_keys_survive_a_power_cut_at_any_moment_of_writing(tmp_path: Path) -> None:
    folder = secrets_folder(tmp_path)
    keys = ShelfKeys(folder)
    made = keys.add(range(4))
    path, fresh = folder / "persons.json", folder / "persons.next.json"
    whole = path.read_bytes()
    for spoilt in (whole, b" " * len(whole), b""):  # before, while and after overwriting
        fresh.write_bytes(whole)
        path.write_bytes(spoilt)
        path.chmod(0o600)
        fresh.chmod(0o600)
        again = ShelfKeys(folder)
        assert all(again.get(key_id) == keys.get(key_id) for key_id in made.values())
        assert not fresh.exists()


def test_a_dropped_key_is_gone_from_the_disk(tmp_path: Path) -> None:
    folder = secrets_folder(tmp_path)
    keys = ShelfKeys(folder)
    made = keys.add([1, 2])
    gone = keys.get(made[1])
    keys.drop([made[1]])
    assert gone is not None
    from base64 import b64encode

    for file in folder.iterdir():
        assert b64encode(gone) not in file.read_bytes()
    assert ShelfKeys(folder).get(made[1]) is None
    assert ShelfKeys(folder).get(made[2]) is not None


def test_a_key_is_drawn_once(tmp_path: Path) -> None:
    folder = secrets_folder(tmp_path)
    assert load_key(folder, "device") == load_key(folder, "device") != load_key(folder, "log-in")
    assert len(load_key(folder, "device")) == 32


# --- names and passwords ----------------------------------------------------------------------


def test_drawn_passwords_are_strong_and_can_be_read_aloud() -> None:
    drawn = {random_password() for _ in range(200)}
    assert len(drawn) == 200
    for password in drawn:
        check_strength(password, "admin")
        assert not set("0o1li") & set(password)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("short", PasswordTooShort),
        ("x" * 257, PasswordTooShort),
        ("aaaaaaaaaaaa", PasswordTooEasy),
        ("abababababab", PasswordTooEasy),
        ("somchai.jaidee1", PasswordTooEasy),
    ],
)
def test_easy_passwords_are_refused(password: str, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        check_strength(password, "somchai.jaidee")


async def test_the_same_thai_password_typed_as_other_code_points_fits(guard: Guard) -> None:
    # SARA AM as one character, and as NIKHAHIT with SARA AA: keyboards differ.
    who = await add_account(guard, "malee", "staff", password="น้ำตกเจ็ดสาวน้อย")
    await guard.log_in(who.username, "น้ําตกเจ็ดสาวน้อย", "10.0.0.1")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_every_log_in_name_is_folded_or_refused_in_words(text: str) -> None:
    from nagara.guard.accounts import fold_username

    try:
        folded = fold_username(text)
    except UsernameInvalid:
        return
    assert fold_username(folded) == folded
    assert 3 <= len(folded) <= 40
    assert not any(character.isspace() for character in folded)


@pytest.mark.parametrize("name", ["somchai", "สมชาย.ใจดี", "a.b-c_d@e", "ครูมาลี", "น้ำฝน9"])
def test_names_of_both_scripts_are_possible(name: str) -> None:
    from nagara.guard.accounts import fold_username

    assert fold_username(name)
