"""Requests of one atomicityGroup (OGC 18-088 clause 11): one transaction, all of them or none."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from nagara.context.errors import AttributeNotFound, EntityNotFound
from nagara.sensorthings import show
from nagara.sensorthings.answer import Answer, Answering
from nagara.sensorthings.doer import Doer
from nagara.sensorthings.errors import BodyInvalid, MethodUnfit, ThingNotFound
from nagara.sensorthings.make import Made, Maker
from nagara.sensorthings.model import SETS, EntitySet
from nagara.sensorthings.options import Options
from nagara.sensorthings.paths import Place, read_path
from nagara.sensorthings.read import Reading
from nagara.sensorthings.select import Where
from nagara.sensorthings.service import back_to
from nagara.values.errors import Problem

#: What is changed in tables beside the log, and so not in one transaction with the rest.
_ALONE = frozenset({"Observations", "FeaturesOfInterest", "HistoricalLocations"})


class Wanted(Struct, frozen=True):
    """One request of a group. `path` may begin with `$name`: what another of it makes."""

    name: str
    method: str
    path: str
    body: Any


class Failed(Exception):
    """A request of the group does not fit; nothing of the group was done."""

    def __init__(self, at: int, problem: Problem) -> None:
        self.at, self.problem = at, problem


class _Done(Struct):
    """What a request comes to, once all is written."""

    of: EntitySet
    made: Made | None = None
    number: int = 0
    is_gone: bool = False


async def act_together(
    answering: Answering, wanted: list[Wanted], root: str, doer: Doer
) -> list[Answer]:
    """Do all of the requests in one transaction. Raises `Failed`, and the store's Problems."""
    writing = answering.writing
    await answering.streams.caught_up(patient=False)
    async with writing.naming:
        async with answering.context.db.acquire() as conn:
            reading = writing.reading(conn, doer)
            maker = writing.maker(reading)
            done: list[_Done] = []
            for at, one in enumerate(wanted):
                try:
                    done.append(await _collect(answering, reading, maker, one))
                except Problem as problem:
                    raise Failed(at, problem) from problem
        try:
            await writing.write(maker.ops, doer)
        except (EntityNotFound, AttributeNotFound) as error:  # somebody else was faster
            raise Failed(0, ThingNotFound(kind="entity", id="")) from error
    for one_done in done:
        if one_done.is_gone:
            await writing.end_streams(one_done.of, one_done.number, doer)
    return [await _answer(answering, one, root, doer) for one in done]


async def _collect(answering: Answering, reading: Reading, maker: Maker, one: Wanted) -> _Done:
    writing = answering.writing
    if one.method == "post":
        of, parent = await _place(reading, maker, one.path)
        made = await maker.make(of, one.body, parent)
        maker.made[one.name] = made
        return _Done(of, made)
    if one.method not in ("patch", "put", "delete"):
        raise MethodUnfit(method=one.method, path=one.path[:80])
    if one.path.lstrip("/").startswith("$"):
        raise BodyInvalid(kind="$batch", reason="what a group makes is said where it is made")
    place = read_path(one.path)
    if not place.is_one or place.form or place.prop:
        raise MethodUnfit(method=one.method, path=one.path[:80])
    found = await reading.find(place)
    row = await reading.get(found.of, found.where)
    number = int(row["id"])
    if found.of.name == "Observations" or (one.method == "delete" and found.of.name in _ALONE):
        raise BodyInvalid(
            kind="$batch", reason=f"{found.of.name} are changed and deleted outside a group"
        )
    if one.method == "delete":
        maker.ops += await writing.delete_ops(reading.conn, found.of, number)
        return _Done(found.of, number=number, is_gone=True)
    await writing.change_ops(maker, found.of, row, one.body, one.method == "put")
    return _Done(found.of, number=number)


async def _place(
    reading: Reading, maker: Maker, path: str
) -> tuple[EntitySet, tuple[str, Any] | None]:
    """The set that is posted to, and what leads back to where it was posted."""
    head, _, rest = path.strip("/").partition("/")
    made = maker.made.get(head.removeprefix("$")) if head.startswith("$") else None
    if made is not None:
        nav = made.of.navs.get(rest)
        if nav is None or not nav.many:
            raise BodyInvalid(kind="$batch", reason=f"{made.of.one} has no “{rest[:40]}”")
        of = SETS[nav.target]
        back = next(name for name, one in of.navs.items() if one.target == made.of.name)
        return of, (back, made.stream or made.urn)
    place = read_path(path)
    if place.is_one or place.form or place.prop:
        raise MethodUnfit(method="POST", path=path[:80])
    if len(place.steps) == 1:
        return place.set, None
    found = await reading.find(Place(place.steps[:-1]))
    row = await reading.get(found.of, found.where)
    return place.set, await back_to(maker, place.set, found.of, row)


async def _answer(answering: Answering, done: _Done, root: str, doer: Doer) -> Answer:
    if done.is_gone:
        return Answer(200)
    writing = answering.writing
    async with answering.context.db.acquire() as conn:
        number = (
            done.number if done.made is None else await writing.number(conn, done.made, doer.tenant)
        )
        row = await writing.reading(conn, doer).find_one(done.of, Where(key=number))
    shown = None if row is None else show.show(done.of, row, Options(), root)
    location = f"{root}/{done.of.name}({number})"
    return Answer(200 if done.made is None else 201, shown, location)
