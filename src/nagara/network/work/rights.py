"""For whom an actor acts: his offices, by role and by the departments of his account. Pure.

`country:TH`, `city:th-bkk` and `partner:adb` among the departments say for whom a role is held.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from nagara.guard.identity import Actor
from nagara.network.work.errors import WorkNotYours
from nagara.network.work.model import Process, Side

_WIDE = frozenset({"secretariat", "administrator"})
_CITY = frozenset({"chief", "steward"})


class Offices(Struct, frozen=True):
    """What somebody may act for."""

    network: bool
    cities: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()  # as national representative
    guided: frozenset[str] = frozenset()  # as of the shepherd
    partners: frozenset[str] = frozenset()

    def sides(self, city: str, country: str, partner: str | None) -> dict[Side, str]:
        """The sides on which an act on this subject can be done, with whom each is for."""
        found: dict[Side, str] = {}
        if city in self.cities:
            found["city"] = city
        if country in self.countries:
            found["national"] = country
        others = sorted((self.countries | self.guided) - {country})
        if others and country not in self.countries | self.guided:
            found["reviewer"] = others[0]
        if partner and partner in self.partners:
            found["partner"] = partner
        if self.network:
            found["secretariat"] = "network"
        return found

    def of(self, process: Process) -> dict[Side, str]:
        """As `sides`, on a process."""
        return self.sides(process.city, process.country, process.partner)

    def sees(self, process: Process) -> bool:
        """Whether a process is there at all for them."""
        mine = {"city", "national", "partner", "secretariat"} & set(self.of(process))
        return bool(mine or self.guided or (process.shared and self.countries))

    def demand_city(self, city: str, country: str, *, national: bool = False) -> tuple[str, str]:
        """The office that writes for a city. Raises `WorkNotYours`."""
        sides = self.sides(city, country, None)
        wanted: Iterable[Side] = ("city", "secretariat", *(("national",) if national else ()))
        return _first(sides, wanted, city)

    def demand_network(self) -> None:
        """Raises `WorkNotYours` for all but the secretariat."""
        if not self.network:
            raise WorkNotYours(office="secretariat", of="network")

    def demand_partner(self, partner: str) -> tuple[str, str]:
        """The office that writes for an organisation, or for a city that offers what it learned
        as a twin. Raises `WorkNotYours`."""
        sides: dict[Any, str] = {}
        if partner in self.partners | self.cities:
            sides["partner"] = partner
        if self.network:
            sides["secretariat"] = "network"
        return _first(sides, ("partner", "secretariat"), partner)

    def is_owner(self, owner: str) -> bool:
        """Whether `country:TH`, `city:…`, `partner:…` or `secretariat` is one of theirs."""
        kind, _, code = owner.partition(":")
        held = {
            "country": self.countries | self.guided,
            "city": self.cities,
            "partner": self.partners,
        }
        return self.network or code in held.get(kind, frozenset())


def _first(sides: dict[Side, str], wanted: Iterable[Side], of: str) -> tuple[str, str]:
    for side in wanted:
        if side in sides:
            return side, sides[side]
    raise WorkNotYours(office=", ".join(wanted), of=of[:80])


def offices_of(actor: Actor) -> Offices:
    """The offices of an actor."""
    roles = set(actor.roles)

    def named(kind: str) -> frozenset[str]:
        marked = (d for d in actor.departments if d.startswith(f"{kind}:"))
        return frozenset(d.partition(":")[2] for d in marked)

    none: frozenset[str] = frozenset()
    return Offices(
        network=not roles.isdisjoint(_WIDE),
        cities=named("city") if roles & _CITY else none,
        countries=named("country") if "national" in roles else none,
        guided=named("country") if "shepherd" in roles else none,
        partners=named("partner") if "partner" in roles else none,
    )
