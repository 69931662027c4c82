"""`nagara backup`, `restore`, `load`: what a city keeps, taken out and put in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from nagara.city.kit import KITS, bundled_kits, read_kit
from nagara.cli.frame import DataOption, aside, attached, find_data, in_words, progress, run, say
from nagara.engines.backup import backup, restore
from nagara.engines.folder import Folder
from nagara.engines.owner import engine_owner


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("backup")(backup_)
    app.command("restore")(restore_)
    app.command("load")(load)


@contextmanager
def _bar(thai: str, english: str) -> Iterator[Callable[[str, int, int], None]]:
    with progress() as bar:
        task = bar.add_task(in_words(thai, english), total=None)

        def tell(step: str, done: int, total: int) -> None:
            bar.update(task, description=step, completed=done, total=total)

        yield tell


def backup_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    data: DataOption = None,
) -> None:
    """Write the whole city into one file; the city may run meanwhile."""

    async def work() -> None:
        async with attached(data) as found:
            with _bar("สำรองข้อมูล", "backup") as tell:
                made = await backup(found, file.absolute(), tell)
        rows = sum(count for count, _ in made.tables.values())
        say(
            in_words(
                f"สำรองแล้ว {rows:,} แถว {len(made.files):,} ไฟล์ ไปที่ {file}",
                f"{rows:,} rows and {len(made.files):,} files are in {file}.",
            )
        )
        aside.print(
            in_words(
                "ระวัง: ไฟล์นี้มีกุญแจข้อมูลส่วนบุคคลของประชาชน โปรดเข้ารหัสและเก็บไว้ในที่ปลอดภัย "
                "และลบเมื่อพ้นระยะเวลาเก็บ เพราะผู้ที่ขอลบข้อมูลภายหลังยังอยู่ในไฟล์นี้",
                "Take care: this file holds the keys of people's private data. Encrypt it, keep it "
                "safe, and delete it in time: whoever is erased later is still in it.",
            ),
            style="yellow",
            soft_wrap=True,
        )

    run(work())


def restore_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="An empty folder.")],
) -> None:
    """Make an empty folder the city of a backup, and prove that it is equal."""

    async def work() -> None:
        with _bar("กู้คืนข้อมูล", "restore") as tell:
            made = await restore(file.absolute(), data.absolute(), tell)
        say(
            in_words(
                f"กู้คืนแล้วและตรวจว่าตรงกันทุกแถว ({len(made.tables)} ตาราง)",
                f"Restored, and equal in every row ({len(made.tables)} tables).",
            )
        )

    run(work())


def load(
    kit: Annotated[str, typer.Argument(metavar="KIT", help="A kit's folder or name.")],
    data: DataOption = None,
) -> None:
    """Check a city kit and make it the kit of a data folder, from the next start on."""
    source = KITS / kit if kit in bundled_kits() else Path(kit)
    city = read_kit(source)  # refuses it whole, with file, line and column
    folder = Folder.make(find_data(data), engine_owner())
    target = folder.root / "kit"
    fresh = Path(tempfile.mkdtemp(prefix=".kit-", dir=folder.root))
    shutil.copytree(source, fresh, dirs_exist_ok=True)
    if target.exists():
        old = Path(tempfile.mkdtemp(prefix=".kit-", dir=folder.root))
        target.rename(old / "kit")
        fresh.rename(target)
        shutil.rmtree(old)
    else:
        fresh.rename(target)
    say(
        in_words(
            f"{city.name['th']}: {len(city.districts)} เขต {len(city.departments)} หน่วยงาน "
            f"{len(city.categories)} หมวดหมู่ พร้อมใช้เมื่อเริ่มเมืองครั้งต่อไป",
            f"{city.name['en']}: {len(city.districts)} districts, {len(city.departments)} "
            f"departments, {len(city.categories)} categories, from the next start on.",
        )
    )
