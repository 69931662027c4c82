"""Engines that somebody else runs, by URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import asyncpg
import nats
import pytest

from engine_fixtures import QUICK, free_port, free_ports
from nagara.engines.backup import backup, read_manifest
from nagara.engines.errors import EngineUrlWrong
from nagara.engines.folder import Folder
from nagara.engines.migrate import NEWEST
from nagara.engines.nats import NatsEngine
from nagara.engines.owner import engine_owner
from nagara.engines.postgres import PostgresEngine
from nagara.engines.running import EngineOptions, Engines, attach

pytestmark = pytest.mark.sim


async def test_a_city_lives_on_engines_named_by_url(
    make_city_root: Callable[[], Path], nats_engine: NatsEngine
) -> None:
    owner = engine_owner()
    elsewhere = Folder.make(make_city_root(), owner)
    [port] = free_ports(1)
    # First start makes the cluster; then a stranger's way in by password is added.
    await (await PostgresEngine.start(elsewhere, owner, QUICK)).stop()
    tcp = {**QUICK, "listen_addresses": "127.0.0.1", "port": str(port)}
    server = await PostgresEngine.start(elsewhere, owner, tcp)
    try:
        admin = await make_user(server, elsewhere, port)
        url = f"postgresql://city:p%40ss@127.0.0.1:{port}/metropolis"
        stream = nats_engine.url.removeprefix("nats://")
        options = EngineOptions(
            data=make_city_root(),
            http_port=free_port(),
            postgres_url=url,
            nats_url=f"nats://{nats_engine.app_user}:{nats_engine.app_password}@{stream}",
            nats_login_url=f"nats://{nats_engine.login_user}:{nats_engine.login_password}@{stream}",
            nats_issuer_seed=nats_engine.issuer_seed,
        )
        async with Engines.start(options) as engines:
            assert {one.state for one in engines.health()} == {"external"}
            async with engines.database.acquire() as connection:
                assert await connection.fetchval("select current_user") == "city"
                found = await connection.fetchval("select version_num from engine.alembic_version")
            assert found == NEWEST
            client = await nats.connect(
                engines.nats.url,
                user=engines.nats.app_user,
                password=engines.nats.app_password,
            )
            await client.close()
            target = options.data.parent / f"{options.data.name}.backup"
            async with attach(options.data, url) as attached:
                assert attached.running
                await backup(attached, target)
            assert read_manifest(target).revision == NEWEST
            target.unlink()
        await admin.close()
    finally:
        await server.stop()


async def make_user(server: PostgresEngine, folder: Folder, port: int) -> asyncpg.Connection:
    """A database of a user with a password; returns the connection that made them."""
    hba = folder.pg / "pg_hba.conf"
    hba.write_text(hba.read_text() + "host all city 127.0.0.1/32 scram-sha-256\n")
    database = server.database("postgres")
    database.arguments["port"] = port  # the socket's name follows the port
    admin = await database.connect()
    await admin.execute("select pg_reload_conf()")
    await admin.execute("create role city login password 'p@ss'")
    await admin.execute("create database metropolis owner city")
    return admin


async def test_a_wrong_stream_url_is_refused_in_words(city_root: Path) -> None:
    options = EngineOptions(data=city_root, http_port=free_port(), nats_url="http://nonsense")
    with pytest.raises(EngineUrlWrong) as caught:
        async with Engines.start(options):
            pass
    assert caught.value.params["setting"] == "NAGARA_NATS_URL"
