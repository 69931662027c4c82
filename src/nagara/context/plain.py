"""A page of entities of one type as a plain GET tells them: the question that is asked most often.

It is compiled once for many times, planned once by the database, and put together where the
entities lie (`context.page_of_type`). Every other question is `nagara.context.find`'s.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from nagara.context.model import Query
from nagara.context.q_sql import Expand, is_in_document, to_jsonpath
from nagara.context.sought import Sought, sought_of
from nagara.context.where import tree_of

SQL = "select body, told, last_id from context.page_of_type($1, $2, $3::jsonpath, $4, $5, $6)"
#: The same among entities that a lookup found, by their numbers.
SQL_OF_NUMBERS = """select body, told, last_id
    from context.page_of_numbers($7, $1, $2, $3::jsonpath, $4, $5, $6)"""


class PlainPage(Struct, frozen=True):
    """What is asked. `path`: a jsonpath predicate; `after`: the id that the page begins behind;
    `sought`: what each entity that fulfils the path must hold."""

    tenant: str
    type: str
    path: str | None
    after: str
    limit: int
    sought: tuple[Sought, ...] = ()

    def parameters(
        self, now: datetime | None
    ) -> tuple[str, str, str | None, datetime | None, str, int]:
        """Those of `SQL`. `now`: the city's time; what has expired by then is not there."""
        return self.tenant, self.type, self.path, now, self.after, self.limit


class PlainAnswer(Struct, frozen=True):
    """Entities as JSON texts with commas between, and the last one's id where more follow."""

    body: str
    more_after: str | None


def plain_page_of(query: Query, expand: Expand, after: str) -> PlainPage | None:
    """The plain page that a query asks for; None where it asks for anything beside. Raises
    `QueryInvalid`."""
    if len(query.types) != 1 or query.types_all or query.selectors or query.limit < 1:
        return None
    if query.ids or query.id_pattern or query.attrs or query.scopes or query.geo or query.also:
        return None
    if query.offset or query.ordered_by or query.order != "id":
        return None
    name = query.types[0]
    if query.visible_types is not None and name not in query.visible_types:
        return None
    if query.hidden_types is not None and name in query.hidden_types:
        return None
    tree = tree_of(query, expand)
    if tree is not None and not is_in_document(tree):
        return None
    path = None if tree is None else to_jsonpath(tree, expand)
    sought = sought_of(tree, expand)
    return PlainPage(query.tenant, name, path, after, query.limit, sought)


def plain_answer(page: PlainPage, body: str | None, told: int, last_id: str) -> PlainAnswer | None:
    """What a row of `SQL` says; None where `nagara.context.find` has to look."""
    # An attribute's expiresAt is told with sysAttrs alone.
    if body is None or '"expiresAt"' in body:
        return None
    return PlainAnswer(body, last_id if told > page.limit else None)
