"""The pool: JSON as values, and patience while the server is away."""

from __future__ import annotations

import os
import signal

import asyncpg
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nagara.engines.database import Database, _decode_jsonb, _encode_jsonb
from nagara.engines.errors import DatabaseUnreachable, EngineUrlWrong, is_connection_loss

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
@settings(max_examples=60)
def test_a_json_value_is_the_same_after_the_codec(value: object) -> None:
    assert _decode_jsonb(_encode_jsonb(value)) == value


async def test_jsonb_goes_in_and_comes_out_as_values(database: Database) -> None:
    async with database.acquire() as connection:
        sent = {"th": "พระนคร", "list": [1, 2.5, None, True]}
        assert await connection.fetchval("select $1::jsonb", sent) == sent
        assert await connection.fetchval("select $1::json", sent) == sent
        assert await connection.fetchval("select $1::jsonb", msgspec.Raw(b'{"a":1}')) == {"a": 1}
        assert await connection.fetchval("select $1::jsonb[]", [sent, 3]) == [sent, 3]
        assert await connection.fetchval("select $1::jsonb ->> 'th'", sent) == "พระนคร"


async def test_a_backend_that_is_killed_costs_one_statement_and_no_more(
    database: Database,
) -> None:
    lost: BaseException | None = None
    try:
        async with database.acquire() as connection:
            os.kill(connection.get_server_pid(), signal.SIGTERM)
            await connection.fetchval("select pg_sleep(5)")
    except Exception as error:
        lost = error
    assert lost is not None
    assert is_connection_loss(lost)
    async with database.acquire() as connection:
        assert await connection.fetchval("select 1") == 1


def test_a_wrong_statement_is_no_connection_loss() -> None:
    assert not is_connection_loss(asyncpg.UniqueViolationError("x"))
    assert not is_connection_loss(asyncpg.PostgresSyntaxError("x"))
    assert is_connection_loss(ConnectionRefusedError())


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "postgresql://host", "nonsense", "postgres://h:x/d"]
)
def test_a_wrong_url_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(EngineUrlWrong) as caught:
        Database.external(url)
    assert caught.value.params["setting"] == "NAGARA_POSTGRES_URL"


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no.such.host.invalid:5432"])
async def test_an_absent_server_is_a_clear_problem_after_the_patience(host: str) -> None:
    absent = Database.external(f"postgresql://nobody:secret@{host}/none")
    with pytest.raises(DatabaseUnreachable) as caught:
        await absent.open(patience_s=0.1)
    assert "secret" not in str(caught.value)
