"""What can go wrong when a city is asked in SensorThings (OGC 18-088 clauses 9, 10)."""

from __future__ import annotations

from nagara.values.errors import Problem


class PathUnknown(Problem):
    """A resource path that names nothing the standard knows."""

    code = "sta-path-unknown"
    status = 404


class ThingNotFound(Problem):
    """No entity of that id in that set, or none that the caller may see."""

    code = "sta-not-found"
    status = 404


class OptionInvalid(Problem):
    """A query option that cannot be read, or that names what there is not (clause 9.3)."""

    code = "sta-option-invalid"


class OptionTooComplex(Problem):
    """A query beyond one of the limits."""

    code = "sta-too-complex"


class BodyInvalid(Problem):
    """A body that does not make the entity (clause 10.2)."""

    code = "sta-body-invalid"


class BodyTooMuch(Problem):
    """A body beyond one of the limits."""

    code = "sta-body-too-much"
    status = 413


class ChangeRefused(Problem):
    """A change that the store cannot make without losing something else."""

    code = "sta-change-refused"
    status = 409


class MethodUnfit(Problem):
    """A method that the resource does not have."""

    code = "sta-method-unfit"
    status = 405


class NotYetSeen(Problem):
    """The part of the city that numbers the streams is behind; to be asked again."""

    code = "sta-behind"
    status = 503
