"""What the demo plays: the kit's archives where they are, the packs' simulators where not."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from msgspec import Struct

from nagara.city import City
from nagara.city.archives import Sighting, present_archives, read_archive
from nagara.city.entities import air_station_attributes
from nagara.demo.residents import simulated_reports
from nagara.demo.schedule import Schedule
from nagara.ingest.model import Observation
from nagara.pack import Pack, Reading, Simulator
from nagara.values.ids import urn
from nagara.vocab import request
from nagara.vocab.attribute import point_at, property_of
from nagara.vocab.observation import REPORTING_PERIOD, Provenance

#: The archives give the state of a ticket on the day of export, not when it was reached. The demo
#: lets it be reached after a time between these, fixed by the ticket's number, and says so.
SETTLED_FIRST, SETTLED_LAST = timedelta(hours=3), timedelta(hours=30)
#: What was unfinished on the day of export is finished after this, so that a demo that runs round
#: after round does not drown in what no archive tells the end of. Said to be simulated as well.
FINISHED_AFTER = timedelta(hours=40)
ENDED = ("finished", "rejected")
#: Simulated stations speak once an hour, as the department's do.
SIMULATED_EVERY = timedelta(hours=1)
SEED = 20_250_522

log = structlog.get_logger("demo")


class Track(Struct, frozen=True):
    """One archive in memory: its sightings in order of their original time."""

    role: str
    title: str
    sightings: list[Sighting]
    times: list[datetime]
    every_h: float | None = None  # how often it speaks, where the kit says so

    def between(self, start: datetime, end: datetime) -> list[Sighting]:
        """What happened in [start, end) of the archive's own time."""
        return self.sightings[bisect_left(self.times, start) : bisect_left(self.times, end)]


def read_tracks(city: City, kit_data: Path | None) -> list[Track]:
    """The archives that are there. A row that cannot be read is left out and counted in the log."""
    tracks: list[Track] = []
    for archive in present_archives(city, kit_data):
        faults: list[Any] = []
        assert kit_data is not None
        sightings = list(read_archive(city, kit_data, archive, faults.append))
        if faults:
            log.warning("archive.rows_unread", archive=archive.path, rows=len(faults))
        times = [s.original_at for s in sightings]
        every_h = archive.options.get("every_h")
        tracks.append(
            Track(
                archive.role,
                archive.title,
                sightings,
                times,
                None if every_h is None else float(every_h),
            )
        )
    return tracks


class Program(Struct, frozen=True):
    """Gives the observations of any stretch of city time."""

    city: City
    schedule: Schedule
    tracks: list[Track]
    simulators: list[Simulator]
    bases: Mapping[str, dict[str, Any]]  # of the kit's stations, by code

    @property
    def provenance(self) -> Provenance:
        """What the values are: replayed where there is an archive, else simulated."""
        return "replayed" if self.tracks else "simulated"

    def between(self, start: datetime, end: datetime) -> list[Observation]:
        """All that is to be heard in [start, end) of the city's time, in order."""
        found = list(self._replayed(start, end))
        found += self._simulated(start, end)
        if not any(track.role == "tickets" for track in self.tracks):
            found += simulated_reports(self.city, SEED, start, end)
        found.sort(key=lambda o: o.observed_at)
        return found

    def _replayed(self, start: datetime, end: datetime) -> Iterator[Observation]:
        for track in self.tracks:
            if track.role == "tickets":
                yield from self._tickets(track, start, end)
                continue
            for first, last, shift, _ in self.schedule.windows(track.role, start, end):
                for sighting in track.between(first, last):
                    yield self._measured(sighting, shift, track.every_h)

    def _measured(self, sighting: Sighting, shift: timedelta, every_h: float | None) -> Observation:
        at = sighting.original_at + shift
        base = self.bases.get(sighting.local)
        if base is None:
            base = {}
            if sighting.name is not None:
                names = names_of(self.city, sighting.name, sighting.district)
                base["name"] = {"type": "LanguageProperty", "languageMap": names}
            if sighting.location is not None:
                base["location"] = point_at(*sighting.location)
            if sighting.district is not None:
                base["district"] = property_of(sighting.district)
            if every_h is not None:
                base[REPORTING_PERIOD] = property_of(every_h * 3600) | {"unitCode": "SEC"}
        return Observation(
            urn(sighting.entity_type, self.city.code, sighting.local),
            sighting.entity_type,
            at,
            [Reading(n, seen.value, seen.unit_code, at) for n, seen in sighting.attributes.items()],
            base=base,
            provenance="replayed",
            original_observed_at=sighting.original_at,
        )

    def _tickets(self, track: Track, start: datetime, end: datetime) -> Iterator[Observation]:
        """Tickets as they come in, and once more when their archived state is reached."""
        for first, last, shift, loop in self.schedule.windows(
            track.role, start - SETTLED_LAST - FINISHED_AFTER, end
        ):
            for sighting in track.between(first, last):
                said_at = sighting.original_at + shift
                settled_at = said_at + _settling_time(sighting.local)
                if start <= said_at < end:
                    yield _ticket(self.city, sighting, shift, loop, said_at, None)
                status = sighting.attributes[request.STATUS].value
                if start <= settled_at < end:
                    yield _ticket(self.city, sighting, shift, loop, settled_at, status)
                finished_at = settled_at + FINISHED_AFTER
                if status not in ENDED and start <= finished_at < end:
                    yield _ticket(self.city, sighting, shift, loop, finished_at, "finished")

    def _simulated(self, start: datetime, end: datetime) -> Iterator[Observation]:
        played = {s.entity_type for t in self.tracks for s in t.sightings[:1]}
        for simulator in self.simulators:
            if simulator.entity_type in played:
                continue
            at = _next_full(start, SIMULATED_EVERY)
            while at < end:
                for station in self.city.air_stations:
                    value = simulator.value(SEED, station.code, at)
                    yield Observation(
                        urn(simulator.entity_type, self.city.code, station.code),
                        simulator.entity_type,
                        at,
                        [Reading(simulator.attribute, value, simulator.unit_code, at)],
                        base=self.bases[station.code],
                        provenance="simulated",
                    )
                at += SIMULATED_EVERY


def make_program(
    city: City, schedule: Schedule, kit_data: Path | None, packs: Iterable[Pack]
) -> Program:
    """The program of a city: reads the archives, which takes about a second for Bangkok's."""
    simulators = [s for pack in packs for s in pack.simulators]
    bases = {station.code: air_station_attributes(station) for station in city.air_stations}
    return Program(city, schedule, read_tracks(city, kit_data), simulators, bases)


def names_of(city: City, name: str, district: str | None) -> dict[str, str]:
    """A name that an archive gives in the city's own language, for readers of each.

    Nobody has written it in another language, and nothing is transliterated by guess: the others
    read the name as it is, behind the district in their own words.
    """
    own, *others = city.languages
    where = None if district is None else city.get_district(district).name
    return {own: name} | {
        language: f"{where[language]} · {name}" if where else name for language in others
    }


def _ticket(
    city: City,
    sighting: Sighting,
    shift: timedelta,
    loop: int,
    at: datetime,
    status: Any,
) -> Observation:
    local = sighting.local if loop == 0 else f"{sighting.local}-{loop}"
    base: dict[str, Any] = {
        request.TICKET: property_of(local),
        request.CATEGORY: property_of(sighting.attributes[request.CATEGORY].value),
        request.STATUS: property_of(status or "received"),
        request.REQUESTED_AT: property_of(sighting.original_at + shift),
        request.ORIGINAL_REQUESTED_AT: property_of(sighting.original_at),
        request.SOURCE: property_of("traffy"),
        request.PROVENANCE: property_of("replayed"),
    }
    if status is not None:
        base[request.STATUS] |= {"provenance": property_of("simulated")}
    if sighting.location is not None:
        base[request.LOCATION] = point_at(*sighting.location)
    if sighting.district is not None:
        base[request.DISTRICT] = property_of(sighting.district)
    return Observation(
        urn(request.TYPE, city.code, local),
        request.TYPE,
        at,
        [],
        base=base,
        refresh=True,
        provenance="replayed",
        original_observed_at=sighting.original_at,
    )


def _settling_time(ticket: str) -> timedelta:
    share = int.from_bytes(hashlib.blake2b(ticket.encode(), digest_size=4).digest()) / 2**32
    return SETTLED_FIRST + share * (SETTLED_LAST - SETTLED_FIRST)


def _next_full(at: datetime, step: timedelta) -> datetime:
    over = (at.timestamp()) % step.total_seconds()
    return at if over == 0 else at + timedelta(seconds=step.total_seconds() - over)
