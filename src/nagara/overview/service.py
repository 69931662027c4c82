"""What the screens ask: the city, its stations, its measures through the day, how it is now."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from nagara.city.model import City
from nagara.context import Context, Entity
from nagara.overview import model
from nagara.overview.board import Board
from nagara.overview.errors import FramesTooMany, LayerUnknown, MeasureUnknown
from nagara.overview.model import Catalogue, Measure
from nagara.values.time import format_instant
from nagara.vocab import case, indicator
from nagara.vocab.attribute import point_of

WORST_MAX = 5
#: Wall seconds that the list of stations is told again: nothing changed (values grow stale slowly),
#: or something did (2,000 values a second must not make the list 2,000 times).
TOLD_S, TOLD_CHANGED_S = 1.0, 0.1
#: Five minutes a step through a day; a finer slider shows no more on any screen.
FRAMES_MAX = 288
#: Indicators are written when they change: how far back the last change is looked for.
HELD_BACK = timedelta(days=7)
BASEMAP_URL = "/api/v1/city/basemap.pmtiles"
#: The indicator that `/city/now` names, where a pack brings it.
IN_TIME = "cases-in-time"


class Facts(Struct, frozen=True):
    """What the screens must know of the installation."""

    mqtt_port: int = 0
    ws_port: int = 0
    basemap: Path | None = None  # a PMTiles file, served under `BASEMAP_URL`
    open: bool = False


class Overview:
    """The room's use cases."""

    def __init__(
        self, context: Context, city: City, catalogue: Catalogue, board: Board, facts: Facts
    ) -> None:
        self._context = context
        self._city = city
        self.catalogue = catalogue
        self.board = board
        self.facts = facts
        self._districts: bytes | None = None
        self._layers: dict[str, bytes] = {}
        self._told: tuple[float, int, list[dict[str, Any]]] = (-math.inf, -1, [])

    def clock(self) -> dict[str, Any]:
        """What the city clock says."""
        clock = self._context.clock
        original = clock.original_now
        return {
            "now": format_instant(clock.now()),
            "speed": clock.speed,
            "mode": clock.anchor.mode,
            "loop": clock.anchor.loop,
            "originalNow": format_instant(original) if original else None,
            "paused": False,
        }

    def city(self) -> dict[str, Any]:
        """The city's facts."""
        city = self._city
        leaves = city.leaf_categories()
        groups = [c for c in city.categories if c not in leaves]
        return {
            "code": city.code,
            "name": city.name,
            "country": city.country,
            "timeZone": city.time_zone,
            "languages": city.languages,
            "buddhistEra": city.buddhist_era,
            "center": city.centre,
            "bounds": city.bounds,
            "clock": self.clock(),
            "shapes": {
                "districts": "approximate" if city.districts_approximate else "exact",
                "layers": sorted(city.shapes.layers) if city.shapes else [],
            },
            "categories": [
                {
                    "code": c.code,
                    "name": c.name,
                    "icon": c.icon,
                    "group": c.group,
                    "photoAdvised": c.photo_advised,
                    "dueHours": c.due_hours,
                }
                for c in leaves
            ],
            "groups": [{"code": c.code, "name": c.name, "icon": c.icon} for c in groups],
            "departments": [
                {"code": d.code, "name": d.name, "kind": d.kind, "hotline": d.hotline}
                for d in city.departments
            ],
            "attributions": [
                {"title": a.title, "licence": a.licence, "url": a.url} for a in city.attributions
            ],
            "mqttPort": self.facts.mqtt_port,
            "wsPort": self.facts.ws_port,
            "basemap": BASEMAP_URL if self.facts.basemap else None,
            "open": self.facts.open,
        }

    def districts(self) -> bytes:
        """The districts as a GeoJSON collection, encoded once."""
        if self._districts is None:
            index = self._city.district_index
            features = [
                {
                    "type": "Feature",
                    "id": d.code,
                    "geometry": index.geojson(d.code),
                    "properties": {
                        "code": d.code,
                        "name": d.name,
                        "population": d.population,
                        "populationYear": d.population_year,
                        "areaKm2": d.area_km2,
                        "approximate": index.approximate,
                        "center": d.centre,
                    },
                }
                for d in self._city.districts
                if d.code in index.codes()
            ]
            self._districts = msgspec.json.encode(
                {"type": "FeatureCollection", "features": features}
            )
        return self._districts

    def layer(self, name: str) -> bytes:
        """A layer of the kit's data as a GeoJSON collection. Raises `LayerUnknown`."""
        if name not in self._layers:
            layers: Mapping[str, Any] = self._city.shapes.layers if self._city.shapes else {}
            if name not in layers:
                raise LayerUnknown(layer=name[:80], known=", ".join(sorted(layers)) or "–")
            self._layers[name] = msgspec.json.encode(layers[name])
        return self._layers[name]

    async def stations(self, entity_type: str | None = None) -> list[dict[str, Any]]:
        """All stations that were heard, by id; at most a moment old."""
        await self.board.ready()
        at_s = time.monotonic()
        said_s, version, told = self._told
        if at_s - said_s > (TOLD_S if version == self.board.version else TOLD_CHANGED_S):
            version, told = self.board.version, self._tell_stations()
            self._told = (at_s, version, told)
        return [s for s in told if entity_type is None or s["type"] == entity_type]

    def _tell_stations(self) -> list[dict[str, Any]]:
        now = self._context.clock.now()
        found = []
        for entity_id in sorted(self.board.stations):
            entity = self.board.stations[entity_id]
            told = model.station_of(entity, self.catalogue, now)
            if told is not None:
                if told["district"] is None:
                    told["district"] = self._district_of(entity)
                found.append(told)
        return found

    async def now(self) -> dict[str, Any]:
        """How the city is now."""
        stations = await self.stations()
        fresh = sum(model.is_fresh(station) for station in stations)
        ranked = sorted(
            ((model.badness(s, self.catalogue), s) for s in stations),
            key=lambda pair: pair[0],
            reverse=True,
        )
        board = self.board
        cases = board.cases.values()
        day_start = self._day_start(self._context.clock.now())
        return {
            "asOf": format_instant(self._context.clock.now()),
            "stations": {
                "count": len(stations),
                "fresh": fresh,
                "stale": len(stations) - fresh,
            },
            "worst": [s for rank, s in ranked[:WORST_MAX] if rank[0] >= 0],
            "alerts": {"open": len(board.alerts), "bySeverity": Counter(board.alerts.values())},
            "cases": {
                "open": sum(c.state in case.OPEN for c in cases),
                "overdue": sum(c.overdue and c.state in case.OPEN for c in cases),
                "today": sum(c.opened_at is not None and c.opened_at >= day_start for c in cases),
            },
            "inTimeShare": self._in_time_share(),
        }

    def measures(self) -> list[dict[str, Any]]:
        """All measures of the map."""
        return [model.measure_of(measure) for measure in self.catalogue.measures]

    async def frames(
        self, code: str, start: datetime | None, end: datetime | None, step: timedelta
    ) -> dict[str, Any]:
        """A measure through time, one value a step. Raises `MeasureUnknown`, `FramesTooMany`."""
        measure = self.catalogue.find(code)
        if measure is None:
            known = ", ".join(m.code for m in self.catalogue.measures)
            raise MeasureUnknown(code=code[:80], known=known)
        end = end or self._context.clock.now()
        start = start or end - timedelta(days=1)
        times = model.slots(start, end, step)
        if len(times) > FRAMES_MAX:
            raise FramesTooMany(got=len(times), most=FRAMES_MAX)
        await self.board.ready()
        if measure.layer.entity_type == indicator.TYPE:
            series = await self._indicator_frames(measure, times, step)
        else:
            series = await self._station_frames(measure, times, step)
        return {
            "times": [format_instant(at) for at in times],
            "series": [{"id": id_, "values": values} for id_, values in sorted(series.items())],
        }

    async def _station_frames(
        self, measure: Measure, times: list[datetime], step: timedelta
    ) -> dict[str, list[float | None]]:
        if not times:
            return {}
        layer = measure.layer
        entities = [e for e in self.board.stations.values() if layer.entity_type in e.types]
        found = await self._context.series(
            [e.id for e in entities], layer.attribute, times[0], times[-1] + step, step
        )
        by_station = {id_: model.in_slots(series, times) for id_, series in found.items()}
        if layer.kind == "station":
            return {i: v for i, v in by_station.items() if any(x is not None for x in v)}
        groups: dict[str, list[list[float | None]]] = {}
        for entity in entities:
            district = entity.value("district") or self._district_of(entity)
            if district is not None and entity.id in by_station:
                groups.setdefault(district, []).append(by_station[entity.id])
        return model.mean_by(groups, len(times))

    async def _indicator_frames(
        self, measure: Measure, times: list[datetime], step: timedelta
    ) -> dict[str, list[float | None]]:
        if not times:
            return {}
        wanted = {
            e.id: e.value(indicator.DISTRICT)
            for e in self.board.indicators.values()
            if e.value(indicator.CODE) == measure.layer.code and e.value(indicator.DISTRICT)
        }
        back = times[0] - step * (HELD_BACK // step)  # aligned, so that steps stay the same
        found = await self._context.series(
            list(wanted), measure.layer.attribute, back, times[-1] + step, step
        )
        return {
            wanted[id_]: model.held_in_slots(series, times, step) for id_, series in found.items()
        }

    def _in_time_share(self) -> float | None:
        for entity in self.board.indicators.values():
            if entity.value(indicator.CODE) != IN_TIME or entity.value(indicator.DISTRICT):
                continue
            denominator = entity.value(indicator.DENOMINATOR)
            return entity.value(indicator.NUMERATOR) / denominator if denominator else None
        return None

    def _district_of(self, entity: Entity) -> str | None:
        point = point_of(entity.value("location"))
        area = self._city.district_at(*point) if point else None
        return area.code if area else None

    def _day_start(self, now: datetime) -> datetime:
        zone = ZoneInfo(self._city.time_zone)
        return datetime.combine(now.astimezone(zone).date(), time_of_day(), zone).astimezone(UTC)
