"""The device registry: which device sends what, to which entity, and how often it may."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import structlog
from asyncpg import Record
from msgspec import Struct

from nagara.city import City
from nagara.context import Context, Delete, Entity, Op, Patch, Upsert
from nagara.engines.database import Connection, Database
from nagara.ingest.errors import (
    DeviceExists,
    DeviceInvalid,
    DeviceUnknown,
    ProfileInUse,
    ProfileUnknown,
)
from nagara.ingest.profile import BUILT_IN, BURST_MINUTES, Decode, Profile, binding, validated
from nagara.pack import Codec
from nagara.values.errors import Problem
from nagara.values.ids import urn
from nagara.vocab import device as words
from nagara.vocab.attribute import point_at, property_of, relation_to, text_of

log = structlog.get_logger("ingest.registry")

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_ENTITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]{1,240}")
#: Devices bound in memory: 50,000 sensors of a metropolis with room to grow, 1 kB each.
DEVICES_MAX = 200_000
NAME_CHARS_MAX = 200

_PUT_DEVICE = """
insert into ingest.device (id, profile, entity_id, name, lon, lat, enabled)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (id) do update set profile = excluded.profile, entity_id = excluded.entity_id,
    name = excluded.name, lon = excluded.lon, lat = excluded.lat, enabled = excluded.enabled,
    modified_at = now()
"""
_PUT_PROFILE = """
insert into ingest.profile (name, spec) values ($1, $2)
on conflict (name) do update set spec = excluded.spec, modified_at = now()
"""


class Device(Struct, frozen=True, rename="camel"):
    """A registered device. `location` is (longitude, latitude)."""

    id: str
    profile: str
    entity_id: str
    name: dict[str, str] = {}
    location: tuple[float, float] | None = None
    enabled: bool = True
    created_at: datetime | None = None


class Bound(Struct):
    """A device as messages meet it: everything looked up once."""

    device: Device
    profile: Profile
    decode: Decode
    rate_per_s: float
    burst: float
    heard_at: datetime | None = None  # wall time of the last message, since this process started
    messages: int = 0
    level: float = 0.0  # of the token bucket, at `level_at_s`
    level_at_s: float = 0.0

    def wait_s(self, now_s: float) -> float:
        """Seconds that the device must wait; 0 when a message was taken from its rate.

        `now_s` is when the message came, in seconds since 1970: what waited in the log is judged
        by the rate at which it was sent. One that came before another was read refills nothing.
        """
        level = self.level + max(0.0, now_s - self.level_at_s) * self.rate_per_s
        if level > self.burst:
            level = self.burst
        if now_s > self.level_at_s:
            self.level_at_s = now_s
        if level < 1.0:
            self.level = level
            return (1.0 - level) / self.rate_per_s
        self.level = level - 1.0
        return 0.0


class Registry:
    """All devices and profiles, in memory and in the `ingest` schema."""

    def __init__(
        self, context: Context, db: Database, city: City, codecs: Sequence[Codec] = ()
    ) -> None:
        self._context = context
        self._db = db
        self._city = city
        self.codecs: dict[str, Codec] = {codec.name: codec for codec in codecs}
        self.profiles: dict[str, Profile] = {}
        self._bound: dict[str, Bound] = {}

    async def load(self) -> None:
        """Read profiles and devices; a device whose profile is broken is logged and left out."""
        async with self._db.acquire() as conn:
            specs = await conn.fetch("select spec from ingest.profile")
            rows = await conn.fetch("select * from ingest.device order by id")
        self.profiles = {profile.name: profile for profile in BUILT_IN}
        for row in specs:
            profile = msgspec.convert(row["spec"], Profile)
            self.profiles[profile.name] = profile
        held, self._bound = self._bound, {}
        for row in rows:
            device = _device_from(row)
            try:
                self._bind(device)
            except Problem as problem:
                log.error("device.unusable", device=device.id, problem=str(problem))
                continue
            if device.id in held:
                before, bound = held[device.id], self._bound[device.id]
                bound.heard_at, bound.messages = before.heard_at, before.messages

    def __len__(self) -> int:
        return len(self._bound)

    # -- what a message asks ------------------------------------------------------------------

    def find(self, device_id: str) -> Bound | None:
        """The device of an id, bound; None where there is none."""
        return self._bound.get(device_id)

    def get(self, device_id: str) -> Bound:
        """The device of an id. Raises `DeviceUnknown`."""
        bound = self._bound.get(device_id)
        if bound is None:
            raise DeviceUnknown(device=device_id)
        return bound

    # -- what a steward asks ------------------------------------------------------------------

    def list_devices(self, after: str = "", limit: int = 100) -> list[Bound]:
        """Devices in order of their id, behind `after`."""
        ids = sorted(name for name in self._bound if name > after)
        return [self._bound[name] for name in ids[:limit]]

    async def add(self, device: Device, actor: str) -> Bound:
        """Register a device. Raises `DeviceExists`, `DeviceInvalid`, `ProfileUnknown`."""
        if device.id in self._bound:
            raise DeviceExists(device=device.id)
        if len(self._bound) >= DEVICES_MAX:
            raise DeviceInvalid(reason=f"the registry is full: {DEVICES_MAX} devices")
        return await self._put(device, actor)

    async def change(self, device: Device, actor: str) -> Bound:
        """Replace a registration. Raises `DeviceUnknown` and what `add` raises."""
        self.get(device.id)
        return await self._put(device, actor)

    async def remove(self, device_id: str, actor: str) -> None:
        """Take a device out; what it measured stays. Raises `DeviceUnknown`."""
        self.get(device_id)

        async def forget(conn: Connection) -> None:
            await conn.execute("delete from ingest.device where id = $1", device_id)

        mirror = self.mirror_id(device_id)
        ops = [Delete(mirror)] if await self._context.find(mirror) is not None else []
        await self._context.write(*ops, actor=actor, within=forget)
        self._bound.pop(device_id, None)

    async def put_profile(self, profile: Profile) -> None:
        """Add or change a profile. Raises `ProfileInvalid`, `UnitUnknown`, `ProfileInUse`."""
        if profile.name in {built_in.name for built_in in BUILT_IN}:
            raise ProfileInUse(profile=profile.name)
        validated(profile, self.codecs)
        async with self._db.acquire() as conn:
            await conn.execute(_PUT_PROFILE, profile.name, msgspec.to_builtins(profile))
        await self.load()

    async def remove_profile(self, name: str) -> None:
        """Remove a profile that no device uses. Raises `ProfileUnknown`, `ProfileInUse`."""
        if name not in self.profiles:
            raise ProfileUnknown(profile=name)
        used = any(bound.profile.name == name for bound in self._bound.values())
        if used or any(profile.name == name for profile in BUILT_IN):
            raise ProfileInUse(profile=name)
        async with self._db.acquire() as conn:
            await conn.execute("delete from ingest.profile where name = $1", name)
        await self.load()

    def entity_id_for(self, device_id: str, profile: str) -> str:
        """The entity that a device feeds where its registration names none."""
        return urn(self.get_profile(profile).entity_type, self._city.code, device_id)

    def get_profile(self, name: str) -> Profile:
        """A profile by name. Raises `ProfileUnknown`."""
        try:
            return self.profiles[name]
        except KeyError:
            raise ProfileUnknown(profile=name, known=", ".join(sorted(self.profiles))) from None

    def mirror_id(self, device_id: str) -> str:
        """The id of the `Device` entity of a device."""
        return urn(words.TYPE, self._city.code, device_id)

    # -- inside -------------------------------------------------------------------------------

    def _bind(self, device: Device) -> Bound:
        profile = self.get_profile(device.profile)
        decode = binding(profile, self.codecs, device.entity_id, self._base(device))
        rate_per_s = profile.rate_per_minute / 60
        burst = float(profile.rate_per_minute * BURST_MINUTES)
        bound = Bound(device, profile, decode, rate_per_s, burst, level=burst)
        self._bound[device.id] = bound
        return bound

    def _base(self, device: Device) -> dict[str, Any]:
        base: dict[str, Any] = {words.REF_DEVICE: relation_to(self.mirror_id(device.id))}
        if device.name:
            base["name"] = text_of(device.name)
        if device.location is not None:
            base["location"] = point_at(*device.location)
            district = self._city.district_at(*device.location)
            if district is not None:
                base["district"] = property_of(district.code)
        return base

    async def _put(self, device: Device, actor: str) -> Bound:
        check_device(device)
        if device.entity_id != self.mirror_id(device.id):
            self._context.keeping.demand_free("", device.entity_id)
        profile = self.get_profile(device.profile)
        row = (device.location[0], device.location[1]) if device.location else (None, None)

        async def keep(conn: Connection) -> None:
            await conn.execute(
                _PUT_DEVICE,
                device.id,
                device.profile,
                device.entity_id,
                device.name,
                *row,
                device.enabled,
            )

        mirror = Entity(self.mirror_id(device.id), (words.TYPE,), _mirror(device, profile))
        ops: list[Op] = [Upsert(mirror)]
        fed = await self._context.find(device.entity_id)
        if fed is not None and fed.object(words.REF_DEVICE) == mirror.id:
            ops.append(Patch(fed.id, self._base(device)))  # made for this device: it moves along
        await self._context.write(*ops, actor=actor, within=keep)
        return self._bind(device)


def check_device(device: Device) -> None:
    """Raises `DeviceInvalid` with the part that cannot be used."""
    if not _ID.fullmatch(device.id):
        raise DeviceInvalid(reason="id: letters, digits, - and _, 64 at most")
    if not _ENTITY.fullmatch(device.entity_id):
        raise DeviceInvalid(reason="entityId: a URI such as urn:ngsi-ld:AirQualityObserved:…")
    if any(len(text) > NAME_CHARS_MAX for text in device.name.values()):
        raise DeviceInvalid(reason=f"name: at most {NAME_CHARS_MAX} letters")
    if device.location is not None:
        lon, lat = device.location
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise DeviceInvalid(reason="location: [longitude, latitude] in degrees")


def _device_from(row: Record) -> Device:
    place = None if row["lon"] is None else (row["lon"], row["lat"])
    return Device(
        id=row["id"],
        profile=row["profile"],
        entity_id=row["entity_id"],
        name=row["name"],
        location=place,
        enabled=row["enabled"],
        created_at=row["created_at"],
    )


def _mirror(device: Device, profile: Profile) -> dict[str, Any]:
    attributes = sorted({to.attribute for to in profile.fields.values()})
    state: words.DeviceState = "enabled" if device.enabled else "disabled"
    mirror: dict[str, Any] = {
        words.STATE: property_of(state),
        words.PROFILE: property_of(profile.name),
        words.CODEC: property_of(profile.codec),
        words.PERIOD_S: {**property_of(profile.period_s), "unitCode": "SEC"},
        words.REF_ENTITY: relation_to(device.entity_id),
    }
    if attributes:
        mirror[words.CONTROLLED_PROPERTY] = property_of(attributes)
    if device.name:
        mirror[words.NAME] = text_of(device.name)
    if device.location is not None:
        mirror[words.LOCATION] = point_at(*device.location)
    return mirror
