"""What can go wrong when a city is asked in OGC API Features (17-069r4 clauses 7.3, 7.5)."""

from __future__ import annotations

from nagara.values.errors import Problem


class CollectionNotFound(Problem):
    """No collection of that name, or none that the caller may see."""

    code = "features-collection-unknown"
    status = 404


class FeatureNotFound(Problem):
    """No feature of that id in the collection, or none that the caller may see."""

    code = "features-not-found"
    status = 404


class ParameterUnknown(Problem):
    """A parameter that the resource does not have (requirement /req/core/query-param-unknown)."""

    code = "features-parameter-unknown"


class ParameterInvalid(Problem):
    """A parameter whose value cannot be read (requirement /req/core/query-param-invalid)."""

    code = "features-parameter-invalid"


class FilterInvalid(Problem):
    """A filter that cannot be read; `position` is the character, from 1."""

    code = "features-filter-invalid"


class FilterTooComplex(Problem):
    """A filter beyond one of the limits."""

    code = "features-filter-too-complex"
