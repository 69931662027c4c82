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
        NewAccount("admin-demo", "Demo administrator", ("administrator",)),
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
    """Departments by how much comes to them: alerts first, then categories of reports."""
    counts: Counter[str] = Counter()
    for route in city.alert_routes:
        counts[city.get_department(route.department).code] += 100
    middle = city.district_at(*city.centre)
    for category in city.leaf_categories():
        counts[city.route(category.code, middle.code if middle else None).code] += 1
    return tuple(code for code, _ in counts.most_common(DESKS))
