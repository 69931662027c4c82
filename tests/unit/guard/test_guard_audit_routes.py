"""The audit on screen: the newest rows, and the verdict on the chain."""

from __future__ import annotations

from nagara.guard import Guard
from unit.guard.doors import Browse, add_account, log_in


async def test_the_newest_rows_come_first_and_page_back(guard: Guard, browse: Browse) -> None:
    who = await add_account(guard, "mayor", "chief")
    async with browse() as client:
        await log_in(client, who)
        newest = (await client.get("/api/v1/audit?before=9007199254740991&limit=2")).json()
        numbers = [row["seq"] for row in newest["items"]]
        assert numbers == sorted(numbers, reverse=True)
        older = (await client.get(f"/api/v1/audit?before={newest['next']}&limit=2")).json()
        assert older["items"][0]["seq"] == numbers[-1] - 1


async def test_the_screen_learns_which_row_was_changed(guard: Guard, browse: Browse) -> None:
    who = await add_account(guard, "mayor", "chief")
    async with browse() as client:
        await log_in(client, who)
        whole = (await client.get("/api/v1/audit/verdict")).json()
        assert (whole["sound"], whole["faults"]) == (True, [])
        async with guard.db.acquire() as conn:
            await conn.execute("alter table guard.audit disable trigger all")
            await conn.execute("update guard.audit set act = 'nothing' where seq = 1")
        broken = (await client.get("/api/v1/audit/verdict")).json()
    assert not broken["sound"]
    assert "1" in broken["faults"][0]["params"].values()
