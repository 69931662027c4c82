"""Identity over the years: proposed with reasons, decided by people, never by likeness alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.guard.identity import Actor
from nagara.network import kept
from nagara.network.errors import MatchSettled, MatchUnknown, SplitAlone
from nagara.network.likeness import Named, likeness, propose, rarity
from unit.network.conftest import silently

CLERK = Actor("account", "clerk", "", ("secretariat",))
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@given(a=NAMES, b=NAMES, others=st.lists(NAMES, max_size=5))
def test_likeness_is_the_same_both_ways_round_and_between_0_and_1(a, b, others):
    weights = rarity([a, b, *others])
    there, back = likeness(a, b, weights), likeness(b, a, weights)
    assert there == pytest.approx(back)
    assert all(-1e-9 <= part <= 1 + 1e-9 for part in there)


@given(names=st.lists(NAMES, min_size=1, max_size=8), same_year=st.booleans())
def test_names_of_the_same_year_are_never_one_project(names, same_year):
    titles = [
        Named(n, name, "FA1", 2023, 2023 if same_year else 2023 + n) for n, name in enumerate(names)
    ]
    for one in propose(titles):
        assert titles[one.earlier].last_year < titles[one.later].first_year


async def matches(network, state=None):
    async with network.network.db.acquire() as conn:
        return await kept.list_matches(conn, state, None, None, 1_000)


async def test_a_confirmed_rename_keeps_the_identity_and_the_former_name(
    network, made_folder, read
):
    service, reports = network.network, network.reports
    await service.loader.load(read(made_folder), "system:test", silently)
    (match,) = await matches(network)
    assert (match.earlier_name, match.later_name) == (
        "Bus Lanes on Silom",
        "Bus Lanes of Silom Road",
    )
    assert match.later_project is None  # undecided: no identity of its own yet
    assert {r["code"] for r in match.reasons} >= {"words", "same-focus", "next-year"}
    before = {f.name: f.kind for f in (await reports.became(2023, 2024, None)).items}
    assert before["Bus Lanes on Silom"] == "vanished"
    made = await service.settle_match(match.id, True, "renamed", "same lanes", CLERK)
    assert (made.state, made.settled_by) == ("confirmed", "account:clerk")
    record = await service.book.find(match.earlier_project)
    assert record.name == "Bus Lanes of Silom Road"
    assert [f.name for f in record.former_names] == ["Bus Lanes on Silom"]
    assert [note.year for note in record.years] == [2023, 2024]
    fates = {f.name: f for f in (await reports.became(2023, 2024, None)).items}
    assert fates["Bus Lanes on Silom"].kind == "renamed"
    assert fates["Bus Lanes on Silom"].later_name == "Bus Lanes of Silom Road"
    assert fates["Canal Gates"].kind == "completed"
    assert fates["Night Market Cameras"].kind == "vanished"
    assert fates["Open Data Portal"].kind == "new"
    assert "Bus Lanes of Silom Road" not in fates
    with pytest.raises(MatchSettled):
        await service.settle_match(match.id, False, "renamed", "", CLERK)
    again = await service.loader.load(read(made_folder), "system:test", silently)
    assert (again.rows_changed, again.titles_undecided) == (0, 0)
    assert (await service.book.find(match.earlier_project)).name == "Bus Lanes of Silom Road"


async def test_a_rejected_match_gives_the_later_name_an_identity_of_its_own(
    network, made_folder, read
):
    service = network.network
    await service.loader.load(read(made_folder), "system:test", silently)
    (match,) = await matches(network)
    made = await service.settle_match(match.id, False, "renamed", "another street", CLERK)
    assert made.state == "rejected"
    assert made.later_project not in (None, made.earlier_project)
    again = await service.loader.load(read(made_folder), "system:test", silently)
    assert again.matches_proposed == 0


async def test_a_merged_project_is_told_as_merged(network, made_folder, read):
    service = network.network
    await service.loader.load(read(made_folder), "system:test", silently)
    (match,) = await matches(network)
    made = await service.settle_match(match.id, True, "merged", "", CLERK)
    record = await service.book.find(match.earlier_project)
    assert (record.state, record.merged_into) == ("merged", made.later_project)
    found = await network.reports.became(2023, 2024, None)
    assert {f.name: f.kind for f in found.items}["Bus Lanes on Silom"] == "merged"
    assert (await network.reports.totals(2024)).became.counts == found.counts


async def test_a_project_that_was_split_goes_on_as_its_parts(network, made_folder, read):
    rows = made_folder / "ascn_me_projects_2022_2025.csv"
    more = (
        "2023,LA,Vientiane,Riverside Flood Gates and Wetlands,Quality Environment,not_listed",
        "2024,LA,Vientiane,Riverside Flood Gates,Quality Environment,ongoing_or_planning",
        "2024,LA,Vientiane,Riverside Wetlands,Quality Environment,completed",
    )
    rows.write_text(rows.read_text("utf-8") + "\n".join(more) + "\n", encoding="utf-8")
    service = network.network
    await service.loader.load(read(made_folder), "system:test", silently)
    parts = [m for m in await matches(network) if m.earlier_name.startswith("Riverside")]
    assert len(parts) == 2
    assert {m.later_focus for m in parts} == {"FA4"}
    with pytest.raises(SplitAlone):
        await service.settle_match(parts[0].id, True, "split", "", CLERK)
    made = await service.settle_match(parts[0].id, True, "split", "", CLERK, [parts[1].id])
    assert (made.state, made.kind) == ("confirmed", "split")
    record = await service.book.find(made.earlier_project)
    assert record.state == "split"
    part = await service.book.find(made.later_project)
    assert (part.split_from, [n.year for n in part.years]) == (record.id, [2024])
    found = await network.reports.became(2023, 2024, None)
    assert (await network.reports.totals(2024)).became.counts == found.counts
    fates = {f.name: f for f in found.items}
    told = fates["Riverside Flood Gates and Wetlands"]
    assert told.kind == "split"
    assert set(told.later_name.split(" · ")) == {"Riverside Flood Gates", "Riverside Wetlands"}
    assert "Riverside Wetlands" not in fates, "a part is not new"


async def test_what_nobody_proposed_cannot_be_settled(network):
    with pytest.raises(MatchUnknown):
        await network.network.settle_match(1, True, "renamed", "", CLERK)


async def test_the_17_names_of_2023_that_do_not_stand_in_2024(network, nagara_archives, read):
    await network.network.loader.load(read(nagara_archives / "asean"), "system:test", silently)
    found = await network.reports.became(2023, 2024, None)
    gone = [f for f in found.items if f.kind == "vanished"]
    respelt = [f for f in found.items if f.kind == "respelled"]
    # Seventeen do not stand letter by letter; one of them differs by a capital alone.
    assert (len(gone), len(respelt)) == (16, 1)
    assert ("th-chonburi", "Waste to Energy") in {(f.city, f.name) for f in gone}
    same = {"continued", "completed"}
    assert sum(f.kind in same and f.later_name == f.name for f in found.items) == 86 - 17
    async with network.network.db.acquire() as conn:
        proposed = await kept.matches_of_titles(conn, [f.title for f in gone])
    assert len(proposed) >= 9
    (solid,) = [
        m
        for m in await matches(network, "proposed")
        if m.earlier_name == "Solid Waste and Water Waste Treatment"
    ]
    assert solid.later_name == "Solid Waste and Wastewater Treatment"
    await network.network.settle_match(solid.id, True, "renamed", "", CLERK)
    counts = (await network.reports.became(2023, 2024, None)).counts
    assert (counts["vanished"], counts["renamed"]) == (15, 1)
    assert (await network.reports.totals(2024)).became.counts == counts
