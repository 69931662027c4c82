"""The demo's projects: each says its source, nothing is made up but the worked example."""

from __future__ import annotations

from nagara.demo.projects import load_projects, read_seeds
from nagara.plans import bankability, room
from nagara.plans.finding import Filter, Sight, count, list_summaries
from nagara.plans.readiness import score
from room_fixtures import Town


async def test_the_demo_is_loaded_once(town: Town) -> None:
    plans = room.assemble(town.floor)
    assert await load_projects(plans, town.city) == 11
    assert await load_projects(plans, town.city) == 0
    assert plans.plans is not None
    async with town.floor.db.acquire() as conn:
        rows = await list_summaries(conn, Filter(), Sight(), None, 50)
        counted = await count(conn, Filter(), Sight())
    assert len(rows) == sum(row["n"] for row in counted) == 9
    station = next(row for row in rows if row["name"] == "Bang Sue Grand Station")
    assert (station["status"], station["stage"]) == ("ongoing_or_planning", None)
    found = await plans.plans.list_plans("th-bkk", None, Sight(), None, 10)
    assert {row.state for row in found} == {"adopted", "reference"}
    assert await plans.plans.list_conflicts("th-bkk", Sight()) == []
    for row in found:
        states = await plans.plans.list_states(row)
        assert {one.state.standing for one in states} == {"not-reported"}
        assert all(one.reading.why for one in states)


def test_only_the_worked_example_has_figures_of_money(town: Town) -> None:
    seeds = read_seeds(town.city)
    assert seeds is not None
    for seed in seeds.projects:
        body = seed.body
        assert body.source
        assert body.worked_example == seed.example
        if seed.example:
            assert "example" in body.name
            assert body.flows is not None
            result = bankability.assess(body.flows)
            assert result.npv > 0
            assert result.irr.verdict == "one"
            assert score(body).score is not None
        else:
            assert body.cost is None
            assert body.funding == ()
            assert body.flows is None
            assert all(note.source for note in seed.notes)
