"""The knowledge base: practices that projects and results proved, found in Thai and English.

Thai is written without spaces, and the server has no dictionary for it: texts are cut into runs of
two and three characters, and a question finds the texts that share most of its runs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from litestar import get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Struct
from msgspec.structs import asdict, replace

from nagara.guard.identity import Actor
from nagara.guard.permission import allow
from nagara.network.work import errors, kept
from nagara.network.work.checks import demand_place, demand_text
from nagara.network.work.kept import PAGE
from nagara.network.work.needs import Exchange, check_texts
from nagara.network.work.process_routes import API, Asked, StateOf
from nagara.network.work.rights import offices_of
from nagara.network.work.rows import Table, out
from nagara.network.work.shapes import page
from nagara.values.ids import is_given
from nagara.vocab import project

WORDS_MAX = 20_000
RESULTS_MAX, PROJECTS_MAX = 20, 20
STATES = ("draft", "published", "withdrawn")
#: A question longer than this is a text; its first characters find as much.
QUESTION_CHARACTERS_MAX = 200
#: Share of a question's runs that a text must have.
SHARE_MIN = 0.6
#: Texts that are scored for a question.
SCORED_MAX = 200
_TOKEN = re.compile(r"[^\W_]+")
_MARKS = re.compile(r"[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]")


class Result(Struct, frozen=True, rename="camel"):
    """What was measured. `measure`: code of an indicator, or words."""

    measure: str
    after: float
    unit: str
    source: str
    as_of: str
    before: float | None = None


class Practice(Struct, frozen=True):
    """The columns of `network_work.practice`."""

    id: str
    version: int
    city: str
    country: str
    language: str
    title: str
    words: str
    lessons: str
    focus: str | None
    projects: tuple[str, ...]
    results: tuple[Result, ...]
    state: str
    at: datetime
    who: str
    grams: tuple[str, ...]


PRACTICES = Table("practice", Practice)


class PracticeBody(Struct, frozen=True, rename="camel"):
    """The body of a practice; `version` where one is changed."""

    city: str
    country: str
    title: str
    words: str
    language: str = "th"
    lessons: str = ""
    focus_area: str | None = None
    projects: tuple[str, ...] = ()
    results: tuple[Result, ...] = ()
    version: int | None = None


def grams(text: str) -> frozenset[str]:
    """Runs of two and three characters of the words of a text, the vowel and tone marks of Thai
    that are written above and below left out, for they are often mistyped."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    found: set[str] = set()
    for token in _TOKEN.findall(_MARKS.sub("", plain)):
        for size in (2, 3):
            found.update(token[at : at + size] for at in range(len(token) - size + 1))
    return frozenset(found)


class Knowledge:
    """The use cases around practices."""

    def __init__(self, exchange: Exchange, context: Any) -> None:
        self._exchange = exchange
        self._context = context
        self.db = exchange.db

    async def search(
        self, q: str, conditions: Sequence[tuple[str, Any]], limit: int
    ) -> list[tuple[float, Practice]]:
        """Published practices that share most of a question's runs, the best first."""
        asked = grams(q[:QUESTION_CHARACTERS_MAX])
        if not asked:
            return []
        # The rarest runs are looked up: those of three characters, if there are any.
        rare = [gram for gram in asked if len(gram) == 3] or list(asked)
        async with self.db.acquire() as conn:
            arguments: list[Any] = [rare, sorted(asked), SHARE_MIN * len(asked)]
            parts = ["state = 'published'", "grams && $1"]
            for text, value in conditions:
                if value is not None:
                    arguments.append(value)
                    parts.append(text.replace("?", f"${len(arguments)}"))
            columns = PRACTICES.list.replace("grams", "array[]::text[] as grams")
            rows = await conn.fetch(
                f"select {columns}, shared from network_work.practice,"  # noqa: S608 - our types
                " lateral (select count(*) as shared from unnest($2::text[]) g"
                " where g = any(grams)) s"
                f" where {' and '.join(parts)} and shared >= $3::float8"
                f" order by shared desc, id limit {int(SCORED_MAX)}",
                *arguments,
            )
        scored = []
        for row in rows:
            share = row["shared"] / len(asked)
            practice: Practice = PRACTICES.read(
                {name: value for name, value in row.items() if name != "shared"}
            )
            title = len(asked & grams(practice.title)) / len(asked)
            scored.append((round(0.7 * share + 0.3 * title, 3), practice))
        scored.sort(key=lambda one: (-one[0], one[1].id))
        return scored[:limit]

    async def save(self, data: PracticeBody, code: str | None, actor: Actor) -> Practice:
        """Keep a practice as a draft, or change one. Raises `WorkNotYours`, `WorkInvalid`."""
        demand_place(data.city, data.country)
        offices_of(actor).demand_city(data.city, data.country, national=True)
        check_texts(data.title, "", (data.focus_area,) if data.focus_area else (), None)
        for name, text in (("words", data.words), ("lessons", data.lessons)):
            demand_text(name, text, WORDS_MAX)
        if len(data.results) > RESULTS_MAX or len(data.projects) > PROJECTS_MAX:
            raise errors.TooMany(limit=RESULTS_MAX)
        said = asdict(data)
        version = said.pop("version")
        said["focus"] = said.pop("focus_area")
        said["results"] = data.results
        all_words = f"{data.title}\n{data.words}\n{data.lessons}"
        now = self._exchange.now()
        made = Practice(
            id=code or "",
            version=1,
            state="draft",
            at=now,
            who=actor.name_for_audit,
            grams=tuple(sorted(grams(all_words))),
            **said,
        )
        async with self.db.acquire() as conn, conn.transaction():
            if code is None:
                n = await kept.next_number(conn, f"practice-{now.year}")
                made = replace(made, id=f"practice-{now.year}-{n:05}")
                await PRACTICES.insert(conn, made)
            else:
                found = await self.get(conn, code)
                if found.city != data.city or version is None:
                    raise errors.WorkInvalid(name="city, version", reason="as they were read")
                made = replace(made, version=version + 1)
                await PRACTICES.update(conn, made, version)
            await self._exchange.audit(conn, actor, "practice", made)
        return made

    async def get(self, conn: Any, code: str) -> Practice:
        """Raises `WorkUnknown`."""
        found: Practice | None = await PRACTICES.find(conn, code)
        if found is None:
            raise errors.WorkUnknown(what="practice", id=code[:80])
        return found

    async def move(self, code: str, state: str, actor: Actor) -> Practice:
        """Publish or withdraw. Raises `PracticeUnproved` without a project and a result."""
        async with self.db.acquire() as conn:
            found = await self.get(conn, code)
        offices_of(actor).demand_city(found.city, found.country, national=True)
        if state == "published":
            await self._demand_proof(found)
        made = replace(found, state=state, version=found.version + 1)
        async with self.db.acquire() as conn, conn.transaction():
            await PRACTICES.update(conn, made, found.version)
            await self._exchange.audit(conn, actor, "practice", made)
        return made

    async def _demand_proof(self, found: Practice) -> None:
        known = [
            await self._context.find(urn) if is_given(urn, project.TYPE) else None
            for urn in found.projects
        ]
        own = [
            e for e in known
            if e is not None and project.TYPE in e.types and e.value(project.CITY) == found.city
        ]  # fmt: skip
        if not own or len(own) != len(found.projects):
            raise errors.PracticeUnproved(missing="a published project of the city")
        if not found.results:
            raise errors.PracticeUnproved(missing="a result")


def practice_routes(knowledge: Knowledge) -> list[HTTPRouteHandler]:
    """The knowledge base."""

    @get(f"{API}/practices", opt=allow("practice:read"))
    async def listed(
        request: Asked,
        stands: StateOf = None,
        q: FromQuery[str | None] = None,
        city: FromQuery[str | None] = None,
        focus: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE,
    ) -> dict[str, Any]:
        """Published practices: the newest, or the best for a question. `state=draft`: those that
        the caller's own office is still writing."""
        if stands is not None and stands not in STATES:
            raise errors.WorkInvalid(name="state", reason=", ".join(STATES))
        conditions: list[tuple[str, Any]] = [("city = ?", city), ("focus = ?", focus)]
        if q and q.strip():
            found = await knowledge.search(q, conditions, kept.page_size(limit))
            return {"items": [_out(p) | {"score": s} for s, p in found], "next": None}
        conditions.append(("state = ?", stands or "published"))
        if stands not in (None, "published") and not offices_of(request.user).network:
            offices = offices_of(request.user)
            mine = sorted(offices.cities | offices.countries)
            conditions.append(("(city = any(?::text[]) or country = any(?::text[]))", mine))
        async with knowledge.db.acquire() as conn:
            rows = await PRACTICES.page(conn, conditions, after, limit, newest=True)
        return page([_out(p) for p in rows], limit)

    @get(f"{API}/practices/{{code:str}}", opt=allow("practice:read"))
    async def one(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """One practice; a draft only for those who may write it."""
        async with knowledge.db.acquire() as conn:
            found = await knowledge.get(conn, code)
        offices = offices_of(request.user)
        mine = set(offices.sides(found.city, found.country, None)) - {"reviewer"}
        if found.state != "published" and not mine:
            raise errors.WorkUnknown(what="practice", id=code[:80])
        return _out(found)

    @post(f"{API}/practices", opt=allow("practice:write"))
    async def write(request: Asked, data: JSONBody[PracticeBody]) -> dict[str, Any]:
        """Write a practice down, as a draft."""
        return _out(await knowledge.save(data, None, request.user))

    @patch(f"{API}/practices/{{code:str}}", opt=allow("practice:write"))
    async def change(
        request: Asked, code: FromPath[str], data: JSONBody[PracticeBody]
    ) -> dict[str, Any]:
        """Replace a practice; it is a draft again."""
        return _out(await knowledge.save(data, code, request.user))

    @post(f"{API}/practices/{{code:str}}/publish", opt=allow("practice:write"), status_code=200)
    async def publish(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """Publish what is proved."""
        return _out(await knowledge.move(code, "published", request.user))

    @post(f"{API}/practices/{{code:str}}/withdraw", opt=allow("practice:write"), status_code=200)
    async def withdraw(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """Take a practice back."""
        return _out(await knowledge.move(code, "withdrawn", request.user))

    return [listed, one, write, change, publish, withdraw]


def _out(practice: Practice) -> dict[str, Any]:
    said = out(practice, "grams", "who")
    said["focusArea"] = said.pop("focus")
    return said
