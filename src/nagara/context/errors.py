"""What can go wrong when the context is asked or told something."""

from __future__ import annotations

from nagara.values.errors import Problem


class EntityNotFound(Problem):
    """No entity of that id in the tenant (ETSI GS CIM 009 clause 5.5.2 ResourceNotFound)."""

    code = "entity-not-found"
    status = 404
    ngsi_type = "ResourceNotFound"


class AttributeNotFound(Problem):
    """The entity has no such attribute."""

    code = "attribute-not-found"
    status = 404
    ngsi_type = "ResourceNotFound"


class EntityAlreadyExists(Problem):
    """An entity of that id is there already (clause 5.5.2 AlreadyExists)."""

    code = "entity-already-exists"
    status = 409
    ngsi_type = "AlreadyExists"


class VersionConflict(Problem):
    """The entity changed since the caller read it."""

    code = "version-conflict"
    status = 412
    ngsi_type = "Conflict"


class EntityInvalid(Problem):
    """Something that is not an NGSI-LD entity or attribute."""

    code = "entity-invalid"
    ngsi_type = "BadRequestData"


class EntityOverLimit(Problem):
    """More of something than one entity, or one request, may have."""

    code = "entity-over-limit"
    ngsi_type = "BadRequestData"


class AttributesKept(Problem):
    """Attributes that were there already and were to be left alone (noOverwrite)."""

    code = "attributes-kept"
    status = 409
    ngsi_type = "AlreadyExists"


class QueryInvalid(Problem):
    """A query that cannot be read."""

    code = "query-invalid"
    ngsi_type = "BadRequestData"


class OptionUnknown(Problem):
    """A word in `options` or `format` that no operation has (clauses 6.3.7, 6.3.20)."""

    code = "option-unknown"
    ngsi_type = "InvalidRequest"


class QueryTooComplex(Problem):
    """A query beyond the limits."""

    code = "query-too-complex"
    status = 403
    ngsi_type = "TooComplexQuery"


class OffsetTooFar(Problem):
    """A page so far on that all before it would have to be read."""

    code = "offset-too-far"
    status = 403
    ngsi_type = "TooComplexQuery"


class TypeNotFound(Problem):
    """No entity is of that type (clause 5.7.7)."""

    code = "type-not-found"
    status = 404
    ngsi_type = "ResourceNotFound"


class AttributeUnknown(Problem):
    """No entity has that attribute (clause 5.7.10)."""

    code = "attribute-unknown"
    status = 404
    ngsi_type = "ResourceNotFound"


class TenantNotFound(Problem):
    """A tenant that does not exist (clause 5.5.2 NonexistentTenant)."""

    code = "tenant-not-found"
    status = 404
    ngsi_type = "NonexistentTenant"


class StoreBusy(Problem):
    """More writes are waiting than the store takes on."""

    code = "store-busy"
    status = 503
    ngsi_type = "InternalError"


class StoreUnavailable(Problem):
    """The database cannot be reached; whether a write was done is not known to be so."""

    code = "store-unavailable"
    status = 503
    ngsi_type = "InternalError"


class DeadLetterNotFound(Problem):
    """No such change waits for that reader."""

    code = "dead-letter-not-found"
    status = 404
