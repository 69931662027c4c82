"""A page put together in the database says the same as one put together here."""

from __future__ import annotations

import itertools

import msgspec

from nagara.context import Context, Create, Entity, Query
from nagara.context.ngsi.retrieve import plain_json


async def test_both_ways_tell_the_same_pages(context: Context) -> None:
    attrs = {
        "a": {"type": "Property", "value": 'quote " and \\ and ก and \u2028'},
        "b": [{"type": "Property", "value": 1.5}, {"type": "Property", "value": {"x": [None]}}],
        "https://example.org/c": {"type": "Property", "value": True},
    }
    made = [
        Entity(f"urn:x:{number:02}", types, body, scopes=scopes)
        for number, (types, body, scopes) in enumerate(
            [
                (("T",), attrs, ()),
                (("T", "U"), attrs, ("/a",)),
                (("T",), {}, ("/a", "/b")),
                (('T"ก',), attrs, ()),
                (("T",), attrs, ()),
                (("V",), attrs, ()),
                (("V",), {}, ("/a",)),
                (("V",), attrs, ("/a", "/b")),
            ]
        )
    ]
    await context.write(*map(Create, made), actor="t")
    # V: planned once, since no entity has it beside another type; and a condition that some fulfil.
    asked = [Query(), Query(types=("T",)), Query(types=("V",)), Query(types=("V",), q="b==1.5")]
    for limit, what in itertools.product((1, 2, 5, 100), asked):
        after = None
        while True:
            query = msgspec.structs.replace(what, limit=limit, after=after)
            page = await context.query_plain(query)
            assert page is not None
            held, cursor = await context.query_held(query)
            assert page[1] == cursor
            assert msgspec.json.decode(f"[{page[0]}]") == [
                msgspec.json.decode(plain_json(one, context.clock.now())) for one in held
            ]
            after = cursor
            if after is None:
                break


async def test_what_needs_a_second_look_is_not_told_at_once(context: Context) -> None:
    ends = {"type": "Property", "value": 1, "expiresAt": "2999-01-01T00:00:00Z"}
    await context.write(Create(Entity("urn:x:1", ("T",), {"a": ends})), actor="t")
    assert await context.query_plain(Query(types=("T",))) is None
    assert await context.query_plain(Query(types=("U",))) == ("", None)
    assert await context.query_plain(Query(types=("T",), offset=1)) is None
