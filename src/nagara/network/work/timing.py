"""What time does to a process: reminders, silence, lapse. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from nagara.city.calendar import WorkingCalendar
from nagara.network.work.model import (
    ActKind,
    Definition,
    Due,
    Position,
    Process,
    Step,
    lacks,
    waiting_seats,
)

CLOCK = "system:network"


def due_at(
    due: Due | None, entered: datetime, fields: dict[str, object], calendar: WorkingCalendar
) -> datetime | None:
    """When the time of a state runs out: the end of the last local day; None where it has none."""
    if due is None:
        return None
    if due.field is not None:
        said = fields.get(due.field)
        return _end_of(date.fromisoformat(str(said)), calendar) if said else None
    day = calendar.local_day(entered)
    if due.count == "plain":
        return _end_of(day + timedelta(days=due.days), calendar)
    left = due.days
    while left > 0:
        day += timedelta(days=1)
        left -= calendar.is_workday(day)
    return _end_of(day, calendar)


def _end_of(day: date, calendar: WorkingCalendar) -> datetime:
    zone = ZoneInfo(calendar.time_zone)
    return datetime.combine(day + timedelta(days=1), time(0), zone).astimezone(UTC)


def entered(
    definition: Definition,
    process: Process,
    state: str,
    now: datetime,
    calendar: WorkingCalendar,
) -> Process:
    """The process after it came into a state: due times, reminders and positions begin anew."""
    kind = definition.state(state)
    body = replace(process.doc, reminded=0)
    if kind.positions:
        body = replace(body, positions={})
    due = None if kind.ended else due_at(kind.due, now, dict(body.fields), calendar)
    made = replace(
        process,
        state=state,
        ended=kind.ended,
        shared=kind.shared,
        entered_at=now,
        due_at=due,
        overdue=False,
        doc=body,
    )
    return replace(made, next_at=next_look(definition, made))


def next_look(definition: Definition, process: Process) -> datetime | None:
    """When the clock has to look again: the next reminder, then the end of the time."""
    if process.due_at is None or process.overdue or process.ended:
        return None
    reminders = definition.state(process.state).reminders_days
    if process.doc.reminded < len(reminders):
        return process.due_at - timedelta(days=reminders[process.doc.reminded])
    return process.due_at


def step(process: Process, act: str, target: str, at: datetime, **said: object) -> Step:
    """The next step of a process; by the clock where nothing else is said."""
    who = {"who": CLOCK, "office": "clock", "of": None} | said
    return Step(process.step_count + 1, at, act, process.state, target, **who)  # type: ignore[arg-type]


def done(
    definition: Definition,
    process: Process,
    act: ActKind,
    made: Step,
    calendar: WorkingCalendar,
) -> Process:
    """The process after an act that was found possible: marks noted, the next state entered."""
    fields = dict(process.doc.fields)
    fields.update(dict.fromkeys(act.marks, True))
    process = replace(process, doc=replace(process.doc, fields=fields), step_count=made.n)
    if act.to in ("", process.state):  # an act that only marks; the time runs on
        return process
    return entered(definition, process, act.to, made.at, calendar)


def tick(
    definition: Definition, process: Process, now: datetime, calendar: WorkingCalendar
) -> tuple[Process, list[Step], ActKind | None]:
    """What is due by `now`: one reminder, or the end of the time. The act that silence did."""
    if process.next_at is None or process.next_at > now or process.due_at is None:
        return process, [], None
    kind = definition.state(process.state)
    if now < process.due_at:
        # A clock that leapt over several reminders gives one, the last that is due.
        given = sum(process.due_at - timedelta(days=d) <= now for d in kind.reminders_days)
        said = step(process, "remind", process.state, now, automatic=True)
        body = replace(process.doc, reminded=max(given, process.doc.reminded + 1))
        made = replace(process, doc=body, step_count=said.n)
        return replace(made, next_at=next_look(definition, made)), [said], None
    for code in kind.timeout:
        act = definition.find_act(code)
        if act is None or lacks(definition, process, act, "-", silence=True):
            continue
        said = step(process, act.code, act.to, now, automatic=True, by_silence=True)
        silent = {
            seat: Position("no-objection", "", now, by_silence=True)
            for seat in waiting_seats(process.doc)
            if "consensus" in act.needs
        }
        body = replace(process.doc, positions=process.doc.positions | silent)
        return (
            done(definition, replace(process, doc=body), act, said, calendar),
            [said],
            act,
        )
    said = step(process, "overdue", process.state, now, automatic=True)
    return replace(process, overdue=True, next_at=None, step_count=said.n), [said], None
