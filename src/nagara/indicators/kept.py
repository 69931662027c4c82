"""What the room keeps of values in its own schema: the SQL of values, steps and targets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct, field
from msgspec.structs import asdict

from nagara.engines.database import Connection
from nagara.indicators.errors import ValueChanged, ValueTaken
from nagara.indicators.targets import Target
from nagara.indicators.workflow import Status
from nagara.vocab.indicator import Grade

#: The largest page of values; a screen shows fewer, a program follows the cursor.
PAGE_MAX = 1_000


class Kept(Struct, frozen=True):
    """A value as it is kept; the columns of `indicators.value`."""

    city: str
    code: str
    period_start: date
    period_end: date
    area: str
    breakdown: str
    value: float | None
    numerator: float | None
    denominator: float | None
    unit: str
    quality: Grade
    method: str
    formula_version: int
    author: str
    at: datetime
    missing: list[list[Any]] | None = None
    inputs: dict[str, Any] | None = None
    note: str | None = None
    evidence: list[dict[str, str]] | None = None
    findings: list[dict[str, Any]] | None = None
    status: Status = "draft"
    version: int = 1
    recount: float | None = None
    id: int = 0


class Step(Struct, frozen=True):
    """One step of a value. `n` counts from 1."""

    n: int
    at: datetime
    kind: str
    who: str
    role: str
    before: float | None = None
    after: float | None = None
    words: str | None = None


class Wanted(Struct, frozen=True):
    """Which values to list; None: any. `statuses` are those the caller may see; computed values
    are always seen. `after` is the last row of the page before."""

    city: str | None = None
    codes: Sequence[str] | None = None
    start: date | None = None
    end: date | None = None
    area: str | None = ""
    breakdown: str | None = ""
    statuses: Sequence[str] = field(default_factory=list)
    drafts: bool = False
    entered: bool = False  # by people alone: among what the city counts nobody finds them
    after: tuple[str, str, date, date, str, str] | None = None
    limit: int = 100


class Whole(Struct, frozen=True):
    """A value of a whole city, as much of it as a comparison of cities tells."""

    city: str
    code: str
    period_start: date
    period_end: date
    value: float | None
    unit: str
    quality: Grade
    method: str
    at: datetime
    note: str | None


_COLUMNS = tuple(name for name in Kept.__struct_fields__ if name != "id")
_LIST = ", ".join((*_COLUMNS, "id"))
_MARKS = ", ".join(f"${n}" for n in range(1, len(_COLUMNS) + 1))
_KEY = "city, code, period_end, period_start, area, breakdown"
#: A column's type where it is not text; jsonb goes as text, for a list in an array is no element.
_TYPES = {
    "period_start": "date", "period_end": "date", "value": "float8", "numerator": "float8",
    "denominator": "float8", "formula_version": "int", "at": "timestamptz", "missing": "jsonb",
    "inputs": "jsonb", "evidence": "jsonb", "findings": "jsonb", "version": "int",
    "recount": "float8",
}  # fmt: skip
_JSON = frozenset(name for name, kind in _TYPES.items() if kind == "jsonb")
_ARRAYS = ", ".join(
    f"${n}::{'text' if name in _JSON else _TYPES.get(name, 'text')}[]"
    for n, name in enumerate(_COLUMNS, 1)
)
#: Many values in one statement: a city's year is 17,000.
_SPREAD = (
    f"select {', '.join(f'{name}::jsonb' if name in _JSON else name for name in _COLUMNS)}"  # noqa: S608 - our own type's columns
    f" from unnest({_ARRAYS}) as said({', '.join(_COLUMNS)})"
)
_INSERT = f"insert into indicators.value ({', '.join(_COLUMNS)}) values ({_MARKS})"  # noqa: S608 - our own type's columns
_SEEN = "(method in ('computed', 'received') or status in ('approved', 'locked'))"


async def insert(conn: Connection, kept: Kept) -> int:
    """Keep a new value; its number. Raises `ValueTaken`."""
    try:
        found: int = await conn.fetchval(_INSERT + " returning id", *_row(kept))
    except asyncpg.UniqueViolationError as error:
        raise ValueTaken(code=kept.code, period=str(kept.period_start)) from error
    return found


async def update(conn: Connection, kept: Kept, version: int) -> None:
    """Keep a changed value. Raises `ValueChanged` where it is not the version that was read."""
    sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(_COLUMNS, 1))
    done = await conn.execute(
        f"update indicators.value set {sets} where id = ${len(_COLUMNS) + 1}"  # noqa: S608
        f" and version = ${len(_COLUMNS) + 2}",
        *_row(kept),
        kept.id,
        version,
    )
    if done == "UPDATE 0":
        raise ValueChanged()


async def count_in(conn: Connection, values: Sequence[Kept]) -> None:
    """Keep what the city counted. A draft of its own is written over; of a value that somebody
    answers for only `recount` changes, and one that was entered by hand is left as it is."""
    await conn.execute(
        f"insert into indicators.value as v ({', '.join(_COLUMNS)}) {_SPREAD}"
        f""" on conflict ({_KEY}) do update set
               value = case when v.status = 'draft' then excluded.value else v.value end,
               numerator = case when v.status = 'draft' then excluded.numerator
                                else v.numerator end,
               denominator = case when v.status = 'draft' then excluded.denominator
                                  else v.denominator end,
               quality = case when v.status = 'draft' then excluded.quality else v.quality end,
               missing = case when v.status = 'draft' then excluded.missing else v.missing end,
               inputs = case when v.status = 'draft' then excluded.inputs else v.inputs end,
               formula_version = case when v.status = 'draft' then excluded.formula_version
                                      else v.formula_version end,
               at = case when v.status = 'draft' then excluded.at else v.at end,
               recount = case when v.status = 'draft' then null else excluded.value end
           where v.method = 'computed'
             and (v.value, v.numerator, v.denominator, v.quality, v.formula_version, v.recount)
                 is distinct from (excluded.value, excluded.numerator, excluded.denominator,
                                   excluded.quality, excluded.formula_version,
                                   case when v.status = 'draft' then null else excluded.value end)
             and (v.status = 'draft' or v.recount is distinct from excluded.value)""",
        *_columns(values),
    )


async def receive(conn: Connection, values: Sequence[Kept]) -> None:
    """Keep what another city says; said again, the newer holds."""
    sets = ", ".join(
        f"{name} = excluded.{name}" for name in _COLUMNS if name not in _KEY.split(", ")
    )
    await conn.execute(
        f"insert into indicators.value ({', '.join(_COLUMNS)}) {_SPREAD}"
        f" on conflict ({_KEY}) do update set {sets}",
        *_columns(values),
    )


async def forget_received(conn: Connection, city: str) -> int:
    """Delete what another city said; how many values."""
    done = await conn.execute(
        "delete from indicators.value where city = $1 and method = 'received'", city
    )
    return int(done.rpartition(" ")[2])


async def find(conn: Connection, value_id: int) -> Kept | None:
    """The value of a number."""
    row = await conn.fetchrow(
        f"select {_LIST} from indicators.value where id = $1",  # noqa: S608 - as _INSERT
        value_id,
    )
    return None if row is None else Kept(**dict(row))


async def list_values(conn: Connection, wanted: Wanted) -> list[Kept]:
    """Values in the order of their key: city, definition, period."""
    conditions, parameters = ["true" if wanted.drafts else _SEEN], []

    def bind(value: object) -> str:
        parameters.append(value)
        return f"${len(parameters)}"

    if wanted.city is not None:
        conditions.append(f"city = {bind(wanted.city)}")
    if wanted.codes is not None:
        conditions.append(f"code = any({bind(list(wanted.codes))}::text[])")
    if wanted.start is not None:
        conditions.append(f"period_end > {bind(wanted.start)}")
    if wanted.end is not None:
        conditions.append(f"period_start < {bind(wanted.end)}")
    if wanted.area is not None:
        conditions.append(f"area = {bind(wanted.area)}")
    if wanted.breakdown is not None:
        conditions.append(f"breakdown = {bind(wanted.breakdown)}")
    if wanted.statuses:
        conditions.append(f"status = any({bind(list(wanted.statuses))}::text[])")
    if wanted.entered:
        conditions.append("method in ('by-hand', 'uploaded')")  # as the index value_entered has it
    if wanted.after is not None:
        marks = ", ".join(bind(part) for part in wanted.after)
        conditions.append(f"({_KEY}) > ({marks})")
    rows = await conn.fetch(
        f"""select {_LIST} from indicators.value where {" and ".join(conditions)}
            order by {_KEY} limit {min(wanted.limit, PAGE_MAX + 1)}""",  # noqa: S608
        *parameters,
    )
    return [Kept(**dict(row)) for row in rows]


async def list_newest(
    conn: Connection, city: str, by: date, since: date, drafts: bool
) -> list[Kept]:
    """The newest value of each definition whose period ends in (since, by], for a whole city."""
    rows = await conn.fetch(
        f"""select distinct on (code) {_LIST} from indicators.value
            where city = $1 and area = '' and breakdown = '' and period_end <= $2
              and period_end > $3 and ($4 or {_SEEN})
            order by code, period_end desc, period_start""",  # noqa: S608 - as _INSERT
        city,
        by,
        since,
        drafts,
    )
    return [Kept(**dict(row)) for row in rows]


async def list_across(
    conn: Connection, code: str, cities: Sequence[str], start: date, end: date, drafts: bool
) -> list[Kept]:
    """One definition in several cities over time."""
    rows = await conn.fetch(
        f"""select {_LIST} from indicators.value
            where code = $1 and area = '' and breakdown = '' and city = any($2::text[])
              and period_end > $3 and period_end <= $4 and ($5 or {_SEEN})
            order by city, period_end, period_start limit 5000""",  # noqa: S608 - as _INSERT
        code,
        list(cities),
        start,
        end,
        drafts,
    )
    return [Kept(**dict(row)) for row in rows]


async def list_whole(
    conn: Connection,
    cities: Sequence[str],
    codes: Sequence[str] | None,
    start: date,
    end: date,
    of_each_max: int,
) -> list[Whole]:
    """What is answered for whole cities, of these definitions (None: of all), in one statement:
    of each city the first `of_each_max` in the order of their key."""
    wanted = "" if codes is None else "and code = any($5::text[])"
    rows = await conn.fetch(
        f"""select {", ".join(f"v.{name}" for name in Whole.__struct_fields__)}
            from unnest($1::text[]) as asked(name) cross join lateral (
                select * from indicators.value
                where city = asked.name and area = '' and breakdown = ''
                  and period_end > $2 and period_start < $3 and {_SEEN} {wanted}
                order by {_KEY} limit $4
            ) v""",  # noqa: S608 - as _INSERT
        list(cities),
        start,
        end,
        of_each_max,
        *([] if codes is None else [list(codes)]),
    )
    return [Whole(*row) for row in rows]


async def list_peers(conn: Connection, code: str, city: str, end: date) -> list[float]:
    """Values of other cities for a period that ends on the same day."""
    rows = await conn.fetch(
        """select value from indicators.value
           where code = $1 and period_end = $2 and city <> $3 and area = '' and breakdown = ''
             and value is not null limit 2000""",
        code,
        end,
        city,
    )
    return [row["value"] for row in rows]


async def add_step(conn: Connection, value_id: int, step: Step) -> None:
    """Leave a step behind; its number is the next."""
    await conn.execute(
        """insert into indicators.step (value_id, n, at, kind, who, role, before, after, words)
           select $1, coalesce(max(n), 0) + 1, $2, $3, $4, $5, $6, $7, $8
           from indicators.step where value_id = $1""",
        value_id,
        step.at,
        step.kind,
        step.who,
        step.role,
        step.before,
        step.after,
        step.words,
    )


async def list_steps(conn: Connection, value_id: int) -> list[Step]:
    """The steps of a value, in order."""
    rows = await conn.fetch(
        """select n, at, kind, who, role, before, after, words from indicators.step
           where value_id = $1 order by n""",
        value_id,
    )
    return [Step(*row) for row in rows]


async def list_targets(conn: Connection, city: str, code: str | None = None) -> list[Target]:
    """The targets that hold."""
    rows = await conn.fetch(
        """select distinct on (code, area) city, code, area, version, baseline, baseline_on, target,
                  target_on, sense, note, source, who, at
           from indicators.target where city = $1 and ($2::text is null or code = $2)
           order by code, area, version desc""",
        city,
        code,
    )
    return [Target(*row) for row in rows]


async def add_target(conn: Connection, target: Target) -> None:
    """Keep a target as the next version of what holds."""
    await conn.execute(
        """insert into indicators.target (city, code, area, version, baseline, baseline_on, target,
               target_on, sense, note, source, who, at)
           select $1, $2, $3, coalesce(max(version), 0) + 1, $4, $5, $6, $7, $8, $9, $10, $11, $12
           from indicators.target where city = $1 and code = $2 and area = $3""",
        *[value for name, value in asdict(target).items() if name != "version"],
    )


def _columns(values: Sequence[Kept]) -> list[list[Any]]:
    """The values column by column, for `_SPREAD`; of one that is said twice the last."""
    newest = {tuple(getattr(one, name) for name in _KEY.split(", ")): one for one in values}

    def said(one: Kept, name: str) -> Any:
        value = getattr(one, name)
        is_json = name in _JSON and value is not None
        return msgspec.json.encode(value).decode() if is_json else value

    return [[said(one, name) for one in newest.values()] for name in _COLUMNS]


def _row(kept: Kept) -> list[Any]:
    return [getattr(kept, name) for name in _COLUMNS]
