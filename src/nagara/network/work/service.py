"""Processes at work: opened, edited, reviewed, decided, moved by the clock. The only writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from nagara.guard.identity import Actor
from nagara.network.work import certificates, errors, kept, timing
from nagara.network.work.changing import Changing, Decided, Opening
from nagara.network.work.checks import (
    PART_CHARACTERS_MAX,
    WORDS_CHARACTERS_MAX,
    demand_fields,
    demand_later,
    demand_possible,
    demand_side,
    demand_text,
)
from nagara.network.work.inbox import Told, has_to_act, waiting_states
from nagara.network.work.model import (
    Definition,
    Line,
    Position,
    PositionKind,
    Process,
    Review,
    Verdict,
    lacks,
)
from nagara.network.work.rights import offices_of

#: Looked through for an inbox, the soonest due: those of other offices among them are left out.
INBOX_LOOKED_MAX = 100


class Processes(Changing):
    """The use cases around processes."""

    # --- opening ----------------------------------------------------------------------------

    async def open(self, opening: Opening, actor: Actor) -> Process:
        """Begin a process. Raises `WorkNotYours`, `WorkInvalid`, `WorkTaken`."""
        definition = self.definitions.get(opening.process)
        sides = offices_of(actor).sides(opening.city, opening.country, opening.partner)
        side = next((s for s in definition.opens_by if s in sides), None)
        if side is None:
            raise errors.WorkNotYours(
                office=", ".join(definition.opens_by), of=f"{opening.city}, {opening.country}"[:80]
            )
        async with self.db.acquire() as conn, conn.transaction():
            made = await self.open_in(conn, opening, actor.name_for_audit, side, sides[side])
        if made is None:
            raise errors.WorkTaken(id=str(opening.id))
        return made

    # --- reading ----------------------------------------------------------------------------

    async def get(self, process_id: str, actor: Actor) -> Told:
        """One process with its steps. Raises `WorkUnknown`, also where the actor sees none."""
        offices = offices_of(actor)
        async with self.db.acquire() as conn:
            found = await kept.find(conn, process_id[:200])
            if found is None or not offices.sees(found):
                raise errors.WorkUnknown(what="process", id=process_id[:80])
            steps = await kept.list_steps(conn, found.id)
            certificate = await certificates.find_of(conn, found.id)
        definition = self.definitions.get(found.process)
        return Told(found, definition, offices, steps, certificate)

    async def list_seen(self, wanted: kept.Wanted, actor: Actor) -> list[Told]:
        """One more than a page of the processes that the actor sees."""
        offices = offices_of(actor)
        async with self.db.acquire() as conn:
            found = await kept.list_processes(conn, wanted, offices)
        return [Told(p, self.definitions.get(p.process), offices) for p in found]

    async def inbox(self, actor: Actor) -> list[Told]:
        """Open processes in which the actor's office has something to do, soonest due first."""
        offices = offices_of(actor)
        async with self.db.acquire() as conn:
            stands = waiting_states(list(self.definitions.all.values()), offices)
            found = await kept.list_open(conn, offices, stands, INBOX_LOOKED_MAX)
        told = [Told(p, self.definitions.get(p.process), offices) for p in found]
        return [one for one in told if has_to_act(one)][: kept.PAGE]

    # --- writing ----------------------------------------------------------------------------

    async def edit(
        self,
        process_id: str,
        version: int,
        actor: Actor,
        parts: Mapping[str, str],
        fields: Mapping[str, Any],
        lines: Callable[[Process, str], tuple[Line, ...]] | None = None,
    ) -> Process:
        """Change parts, fields and lines where the state lets the actor's office.

        Raises `WorkLocked`, `WorkNotYours`, `WorkInvalid`, `WorkChanged`.
        """
        offices = offices_of(actor)
        for code, text in parts.items():
            demand_text(code, text, PART_CHARACTERS_MAX)
        demand_fields(fields)

        def decide(definition: Definition, process: Process) -> Decided:
            kind = definition.state(process.state)
            if not kind.editors:
                raise errors.WorkLocked(id=process.id, state=process.state)
            side = demand_side(offices.of(process), kind.editors, process)
            known = {part.code for part in definition.parts}
            if unknown := sorted(set(parts) - known):
                raise errors.WorkInvalid(name=unknown[0][:80], reason="no such part")
            if any(name.startswith("signedBy") for name in fields):
                raise errors.WorkInvalid(name="signedBy…", reason="noted by an act")
            body = process.doc
            before: dict[str, Any] = {
                "parts": {c: body.parts.get(c) for c in parts if body.parts.get(c) != parts[c]},
                "fields": {n: body.fields.get(n) for n in fields},
            }
            marks = {mark for act in definition.acts for mark in act.marks}
            kept_fields = {n: v for n, v in body.fields.items() if n not in marks}
            changed = replace(  # what was signed has to be signed again
                body, parts=body.parts | dict(parts), fields=kept_fields | dict(fields)
            )
            if lines is not None:
                changed = replace(changed, lines=lines(process, actor.name_for_audit))
            who = {"who": actor.name_for_audit, "office": side[0], "of": side[1]}
            said = timing.step(process, "edit", process.state, self.now(), doc=before, **who)
            return replace(process, doc=changed, step_count=said.n), [said], None

        return await self.change(process_id, actor, "edit", decide, version)

    async def act(
        self,
        process_id: str,
        act: str,
        version: int | None,
        actor: Actor,
        words: str,
        fields: Mapping[str, Any],
    ) -> Process:
        """Do an act of the definition.

        Raises `StepNotPossible`, `WorkNotYours`, `WordsMissing`, `Incomplete`, `WorkChanged`.
        """
        offices = offices_of(actor)
        demand_text("words", words, WORDS_CHARACTERS_MAX)
        demand_fields(fields)

        def decide(definition: Definition, process: Process) -> Decided:
            kind = definition.find_act(act)
            if kind is None or process.state not in kind.sources:
                possible = [a.code for a in definition.acts if process.state in a.sources]
                raise errors.StepNotPossible(
                    act=act[:40], state=process.state, why="state", possible=", ".join(possible)
                )
            side = demand_side(offices.of(process), kind.by, process)
            body = process.doc
            taken = {name: fields[name] for name in kind.takes if name in fields}
            if set(kind.takes) - set(taken):
                raise errors.WorkInvalid(name=kind.takes[0], reason="needed")
            if "endsOn" in taken:
                demand_later(str(body.fields.get("endsOn", "")), taken["endsOn"])
            process = replace(process, doc=replace(body, fields=body.fields | taken))
            demand_possible(kind, lacks(definition, process, kind, words), process.state)
            said = timing.step(
                process,
                kind.code,
                kind.to,
                self.now(),
                who=actor.name_for_audit,
                office=side[0],
                of=side[1],
                words=words.strip() or None,
                doc={name: body.fields.get(name) for name in taken} or None,
            )
            made = timing.done(definition, process, kind, said, self.floor.city.calendar)
            if kind.takes and kind.to == process.state:  # a later end: its time runs anew
                made = timing.entered(definition, made, kind.to, said.at, self.floor.city.calendar)
            return made, [said], kind

        return await self.change(process_id, actor, act[:40], decide, version)

    async def review(
        self, process_id: str, lane: str, verdict: Verdict, words: str, actor: Actor
    ) -> Process:
        """Say what one's office thinks of a lane; said again, the newer holds.

        Raises `OwnCountry`, `WorkLocked`, `WordsMissing`, `WorkInvalid`.
        """
        offices = offices_of(actor)
        demand_text("words", words, WORDS_CHARACTERS_MAX)
        if verdict != "fit" and not words.strip():
            raise errors.WordsMissing(act=verdict)

        def decide(definition: Definition, process: Process) -> Decided:
            if lane not in {one.code for one in definition.lanes}:
                raise errors.WorkInvalid(name=lane[:40], reason="no such lane")
            foreign = "reviewer" in definition.reviewers
            if foreign and process.country in offices.countries | offices.guided:
                raise errors.OwnCountry(country=process.country)
            sides = offices.of(process)
            if not definition.state(process.state).reviews:
                raise errors.WorkLocked(id=process.id, state=process.state)
            side, country = demand_side(sides, definition.reviewers, process)
            now = self.now()
            others = (r for r in process.doc.reviews.get(lane, ()) if r.country != country)
            reviews = (*others, Review(country, verdict, words.strip(), now, actor.name_for_audit))
            body = replace(process.doc, reviews=process.doc.reviews | {lane: reviews})
            who = {"who": actor.name_for_audit, "office": side, "of": country}
            said = timing.step(
                process, f"review:{lane}:{verdict}", process.state, now,
                words=words.strip() or None, **who,
            )  # fmt: skip
            return replace(process, doc=body, step_count=said.n), [said], None

        return await self.change(process_id, actor, "review", decide)

    async def take_position(
        self, process_id: str, position: PositionKind, words: str, actor: Actor
    ) -> Process:
        """Say where one's country stands on a decision; it may change until the decision.

        Raises `WorkNotYours` for who holds no seat, `WordsMissing` for an objection without reason.
        """
        offices = offices_of(actor)
        demand_text("words", words, WORDS_CHARACTERS_MAX)
        if position in ("object", "agree-with-comments") and not words.strip():
            raise errors.WordsMissing(act=position)

        def decide(definition: Definition, process: Process) -> Decided:
            if not definition.state(process.state).positions:
                raise errors.WorkLocked(id=process.id, state=process.state)
            seats = sorted(offices.countries.intersection(process.doc.seats))
            if not seats:
                raise errors.WorkNotYours(office="national", of=", ".join(process.doc.seats))
            now = self.now()
            taken = Position(position, words.strip(), now, who=actor.name_for_audit)
            body = replace(process.doc, positions=process.doc.positions | {seats[0]: taken})
            who = {"who": actor.name_for_audit, "office": "national", "of": seats[0]}
            said = timing.step(
                process, f"position:{position}", process.state, now,
                words=words.strip() or None, **who,
            )  # fmt: skip
            return replace(process, doc=body, step_count=said.n), [said], None

        return await self.change(process_id, actor, "position", decide)
