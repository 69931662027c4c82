"""Routes of the room."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from nagara.alerting import shapes
from nagara.alerting.service import Alerting
from nagara.context import Context, Query
from nagara.guard.identity import Actor
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.values.ids import given_pattern
from nagara.vocab import alert as noun

Asked = Request[Actor, Any, Any]
_API = "/api/v1"
PAGE_MAX = 500  # alerts; about 500 kB of JSON


def alert_routes(context: Context, alerting: Alerting, city_code: str) -> list[HTTPRouteHandler]:
    """Alerts and what officers do to them."""

    async def told(request: Asked, alert_id: str) -> dict[str, Any]:
        entity = await alerting.get(alert_id)
        steps = await alerting.steps(alert_id)
        private = may(request.user, "alert:act") or may(request.user, "case:read")
        return shapes.alert_of(entity) | {"steps": shapes.steps_of(steps, private)}

    @get(f"{_API}/alerts", opt=allow("alert:read"))
    async def list_alerts(
        alert_state: Annotated[str | None, QueryParameter(name="state")] = None,
        severity: FromQuery[str | None] = None,
        category: FromQuery[str | None] = None,
        district: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = 100,
    ) -> dict[str, Any]:
        """Alerts, those that changed last first. `state` and the others may name several."""
        terms = [
            _term(noun.STATE, alert_state, noun.STATES),
            _term(noun.SEVERITY, severity, noun.SEVERITIES),
            _term(noun.CATEGORY, category),
            _term(noun.DISTRICT, district),
        ]
        page = await context.query(
            Query(
                types=(noun.TYPE,),
                id_pattern=given_pattern(noun.TYPE, city_code),
                q=";".join(term for term in terms if term) or None,
                limit=max(1, min(limit, PAGE_MAX)),
                after=after,
                order="-modifiedAt",
            )
        )
        return {"items": [shapes.alert_of(e) for e in page.entities], "next": page.next_cursor}

    @get(f"{_API}/alerts/{{alert_id:str}}", opt=allow("alert:read"))
    async def one(request: Asked, alert_id: FromPath[str]) -> dict[str, Any]:
        """One alert with its steps."""
        return await told(request, alert_id)

    @post(f"{_API}/alerts/{{alert_id:str}}/acknowledge", opt=allow("alert:act"), status_code=200)
    async def acknowledge(
        request: Asked, alert_id: FromPath[str], data: JSONBody[shapes.NoteBody]
    ) -> dict[str, Any]:
        """An officer takes the alert on."""
        await alerting.acknowledge(alert_id, request.user, data.note)
        return await told(request, alert_id)

    @post(f"{_API}/alerts/{{alert_id:str}}/resolve", opt=allow("alert:act"), status_code=200)
    async def resolve(
        request: Asked, alert_id: FromPath[str], data: JSONBody[shapes.NoteBody]
    ) -> dict[str, Any]:
        """An officer ends the alert, in words."""
        await alerting.resolve(alert_id, request.user, data.note)
        return await told(request, alert_id)

    return [list_alerts, one, acknowledge, resolve]


def _term(attribute: str, asked: str | None, known: tuple[str, ...] | None = None) -> str:
    """A term of the query language for "one of these"; empty where nothing is asked."""
    if not asked:
        return ""
    words = [word.strip() for word in asked.split(",") if word.strip()]
    if known is not None:
        words = [word for word in words if word in known] or ["-"]  # none of ours: nothing found
    quoted = ",".join('"' + word.replace("\\", "").replace('"', "") + '"' for word in words)
    return f"{attribute}=={quoted}"
