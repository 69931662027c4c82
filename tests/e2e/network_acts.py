"""What people do on the screens of /network: press, choose, write, confirm."""

from __future__ import annotations

import re

from playwright.async_api import Locator, Page, expect

from e2e.browser import words


async def do(page: Page, act: str, said: str = "") -> None:
    """Press an act of a process, say why if it is asked, and wait until it is done."""
    await page.get_by_role("button", name=act, exact=True).first.click()
    box = page.get_by_role("dialog")
    if said:
        await box.get_by_label(words("en", "network.process.words")).fill(said)
    await confirm(box, act)


async def confirm(box: Locator, button: str) -> None:
    """Press the last button of a dialog; it closes once the network has taken it."""
    await box.locator("footer").get_by_role("button", name=button, exact=True).click()
    await expect(box).to_have_count(0)


async def choose(box: Locator, label: str, value: str) -> None:
    """Choose from a list by the code behind it."""
    named = re.compile(rf"^\s*{re.escape(words('en', label))}(?!\w)")  # "Of" is not "Office"
    await box.get_by_label(named).first.select_option(value)


async def write(box: Locator | Page, label: str, text: str) -> None:
    """Fill a question of a form."""
    await box.get_by_label(words("en", label)).first.fill(text)


async def press(page: Page | Locator, key: str) -> None:
    """Press a button by its words."""
    await page.get_by_role("button", name=words("en", key), exact=True).first.click()
