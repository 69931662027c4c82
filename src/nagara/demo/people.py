"""The accounts of a demo: one for each screen, and desks that have work to do."""

from __future__ import annotations

from collections import Counter

from nagara.city import City
from nagara.guard.accounts import NewAccount

#: Desks shown: enough to see work move between them, few enough to try.
DESKS = 3


def demo_people(city: City) -> list[NewAccount]:
    """Accounts of every role, the staff in the departments that answer for most."""
    desks = busiest_departments(city)
    people = [
        NewAccount("administrator", "Demo administrator", ("administrator",)),
        NewAccount("officer", "Duty officer", ("officer",)),
        NewAccount("chief", "Chief smart city officer", ("chief",)),
        NewAccount("steward", "Data steward", ("steward",)),
    ]
    people += [
        NewAccount(f"staff-{code}"[:40], f"Staff, {code}", ("staff",), (code,)) for code in desks
    ]
    people.append(NewAccount("crew", "Field crew", ("crew",), desks[:1]))
    people.append(NewAccount("resident", "Resident", ("resident",)))
    return people


def busiest_departments(city: City) -> tuple[str, ...]:
    """Departments by how much comes to them: those of alerts, then the office in the middle."""
    middle = city.district_at(*city.centre)
    where = middle.code if middle else None
    counts: Counter[str] = Counter()
    for route in city.alert_routes:
        counts[city.get_department(route.department).code] += 1
    alerts = [code for code, _ in counts.most_common(DESKS - 1)]
    reports = Counter(city.route(c.code, where).code for c in city.leaf_categories())
    office = next((code for code, _ in reports.most_common() if code not in alerts), None)
    return tuple([*alerts, office] if office else alerts)
