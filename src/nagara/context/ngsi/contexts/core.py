"""The terms of the NGSI-LD core @contexts: a table of our own, from which any version is made.

Source: ETSI GS CIM 009 annex B, versions 1.3.1, 1.4.1, 1.5.1 and 1.9.1. A row is a version, a type
and a container, with the terms that came in then; `term=iri` where the IRI is not the term itself
in the NGSI-LD vocabulary. Versions 1.6 to 1.8, whose texts we do not have, are answered with the
terms of 1.9: each of them is a subset of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

NGSI = "https://uri.etsi.org/ngsi-ld/"
GEOJSON = "https://purl.org/geojson/vocab#"
DEFAULT_VOCAB = NGSI + "default-context/"
PREFIXES: Mapping[str, str] = {"ngsi-ld": NGSI, "geojson": GEOJSON}
NEWEST = (1, 9)
CORE_CONTEXT = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
#: `…-core-context.jsonld`, `…-v1.9.jsonld`, `…-v1.9.1.jsonld`, with https or http.
_URL = re.compile(
    r"https?://uri\.etsi\.org/ngsi-ld(?:/v1)?/ngsi-ld-core-context"
    r"(?:-v(\d{1,2})\.(\d{1,2})(?:\.\d{1,2})?)?\.jsonld"
)

_TABLE: tuple[tuple[tuple[int, int], str, str, str], ...] = (
    ((1, 3), "", "", """
        Attribute AttributeList ContextSourceNotification ContextSourceRegistration Date DateTime
        EntityType EntityTypeInfo EntityTypeList Feature=geojson:Feature
        FeatureCollection=geojson:FeatureCollection GeoProperty
        GeometryCollection=geojson:GeometryCollection LineString=geojson:LineString
        MultiLineString=geojson:MultiLineString MultiPoint=geojson:MultiPoint
        MultiPolygon=geojson:MultiPolygon Notification Point=geojson:Point Polygon=geojson:Polygon
        Property Relationship Subscription TemporalProperty Time accept attributeCount
        attributeDetails csf data description=http://purl.org/dc/terms/description detail endpoint
        entities entityCount error errors format geoQ geometry=geojson:geometry geoproperty georel
        idPattern information isActive location managementInterval notification
        observationInterval observationSpace operationSpace properties=geojson:properties q reason
        registrationName status subscriptionName temporalQ throttling timeInterval timeproperty
        timerel timesSent title=http://purl.org/dc/terms/title triggerReason unchanged unitCode
        updated uri value=ngsi-ld:hasValue"""),
    ((1, 3), "", "@list", """
        bbox=geojson:bbox coordinates=geojson:coordinates objects=ngsi-ld:hasObjects
        values=ngsi-ld:hasValues"""),
    ((1, 3), "", "@set", "features=geojson:features"),
    ((1, 3), "@id", "", """
        datasetId entityId instanceId object=ngsi-ld:hasObject subscriptionId success"""),
    ((1, 3), "@vocab", "", """
        attributeList attributeName attributeNames attributeTypes attributes propertyNames
        relationshipNames typeList typeName typeNames watchedAttributes"""),
    ((1, 3), "DateTime", "", """
        createdAt endAt endTimeAt expiresAt lastFailure lastNotification lastSuccess modifiedAt
        notifiedAt observedAt startAt timeAt"""),
    ((1, 4), "", "@list", "avg distinctCount max min stddev sum sumsq totalCount"),
    ((1, 5), "", "", "LanguageProperty attrs lang scope scopeQ"),
    ((1, 5), "", "@language", "languageMap=ngsi-ld:hasLanguageMap"),
    ((1, 5), "@id", "", "tenant"),
    ((1, 9), "", "", """
        ContextSourceIdentity EntityMap ExecutionResultDetails JsonProperty ListProperty
        ListRelationship Snapshot SnapshotNotification VocabProperty aggrParams aggrMethods
        aggrPeriodDuration cacheDuration collation containedBy=ngsi-ld:isContainedBy
        contextSourceAlias contextSourceInfo contextSourceUptime cooldown entity
        entityMapLifetime=ngsi-ld:hasEntityMapLifetime expandValues join
        joinLevel=ngsi-ld:hasJoinLevel jsonKeys jsonldContext key=ngsi-ld:hasKey
        langString=http://www.w3.org/1999/02/22-rdf-syntax-ns#langString lastN linkedMaps localOnly
        management mode ngsildConformance notificationTrigger notifierInfo notUpdated omit
        operations ordering pick previousValue=ngsi-ld:hasPreviousValue receiverInfo refreshRate
        registrationId resultStatus showChanges snapshotId snapshotLifetime snapshotPriority
        snapshotStatus splitEntities=ngsi-ld:hasSplitEntities sysAttrs timeout timesFailed"""),
    ((1, 9), "", "@index", "dataset=ngsi-ld:hasDataset entityMap=ngsi-ld:hasEntityMap"),
    ((1, 9), "", "@language", "previousLanguageMap=ngsi-ld:hasPreviousLanguageMap"),
    ((1, 9), "", "@list", """
        entityList jsons languageMaps=ngsi-ld:hasLanguageMaps objectList=ngsi-ld:hasObjectList
        objectLists=ngsi-ld:hasObjectLists orderBy previousObjectList=ngsi-ld:hasPreviousObjectList
        previousValueList=ngsi-ld:hasPreviousValueList snapshotQueries snapshotQueriesDetails
        snapshotTemporalQueries snapshotTemporalQueriesDetails valueList=ngsi-ld:hasValueList
        valueLists=ngsi-ld:hasValueLists vocabs=ngsi-ld:hasVocabs"""),
    ((1, 9), "@id", "", "previousObject=ngsi-ld:hasPreviousObject"),
    ((1, 9), "@json", "", """
        contextSourceExtras json=ngsi-ld:hasJSON previousJson=ngsi-ld:hasPreviousJson
        problemDetails"""),
    ((1, 9), "@vocab", "", """
        objectType=ngsi-ld:hasObjectType previousVocab=ngsi-ld:hasPreviousVocab
        valueType=ngsi-ld:hasValueType vocab=ngsi-ld:hasVocab"""),
    ((1, 9), "DateTime", "", "contextSourceTimeAt deletedAt lastUsedAt"),
)  # fmt: skip

#: W3C Verifiable Credential Data Integrity 1.0, section 2: what a seal may say. Core context 1.9
#: names a document of w3id.org for it, which is never fetched.
DATA_INTEGRITY = "https://w3id.org/security/data-integrity/v2"
_SECURITY = "https://w3id.org/security#"
_XSD_DATE_TIME = "http://www.w3.org/2001/XMLSchema#dateTime"


def core_version(url: str) -> tuple[int, int] | None:
    """The version of the core context that a URL names, the newest where none; None: another."""
    found = _URL.fullmatch(url)
    if found is None:
        return None
    if found[1] is None:
        return NEWEST
    return int(found[1]), int(found[2])


@cache
def core_context(version: tuple[int, int] = NEWEST) -> Mapping[str, Any]:
    """The @context object of a version of the core. Versions before 1.3 are told as 1.3."""
    known = (1, 9) if version >= (1, 6) else max((1, 3), version)
    made: dict[str, Any] = {**PREFIXES, "id": "@id", "type": "@type"}
    if known == NEWEST:
        made = {"@version": 1.1, "@protected": True, **made}
    for since, kind, container, terms in _TABLE:
        if since > known:
            continue
        for row in terms.split():
            term, _, iri = row.partition("=")
            if term in ("attributeCount", "attributeDetails") and known < (1, 5):
                made[term] = term  # so the older documents have it
                continue
            definition = {"@id": iri or f"ngsi-ld:{term}"}
            if kind:
                definition["@type"] = kind
            if term == "objects" and known < NEWEST:
                definition["@type"] = "@id"
            if container:
                definition["@container"] = container
            made[term] = definition if len(definition) > 1 else definition["@id"]
    if known == NEWEST:
        made["ngsildproof"] = {
            "@id": "ngsi-ld:ngsildproof",
            "@context": [
                {
                    "entityIdSealed": "ngsi-ld:entityIdSealed",
                    "entityTypeSealed": {"@id": "ngsi-ld:entityTypeSealed", "@type": "@vocab"},
                },
                DATA_INTEGRITY,
            ],
        }
    made["@vocab"] = DEFAULT_VOCAB
    return made


@cache
def data_integrity() -> Mapping[str, Any]:
    """The terms of a data-integrity proof, as the document named by `DATA_INTEGRITY` has them."""
    proof: dict[str, Any] = {
        "@protected": True,
        "id": "@id",
        "type": "@type",
        "challenge": _SECURITY + "challenge",
        "created": {"@id": "http://purl.org/dc/terms/created", "@type": _XSD_DATE_TIME},
        "cryptosuite": {
            "@id": _SECURITY + "cryptosuite",
            "@type": _SECURITY + "cryptosuiteString",
        },
        "domain": _SECURITY + "domain",
        "expires": {"@id": _SECURITY + "expiration", "@type": _XSD_DATE_TIME},
        "nonce": _SECURITY + "nonce",
        "previousProof": {"@id": _SECURITY + "previousProof", "@type": "@id"},
        "proofPurpose": {"@id": _SECURITY + "proofPurpose", "@type": "@vocab"},
        "proofValue": {"@id": _SECURITY + "proofValue", "@type": _SECURITY + "multibase"},
        "verificationMethod": {"@id": _SECURITY + "verificationMethod", "@type": "@id"},
    }
    return {
        "id": "@id",
        "type": "@type",
        "@protected": True,
        "proof": {"@id": _SECURITY + "proof", "@type": "@id", "@container": "@graph"},
        "DataIntegrityProof": {"@id": _SECURITY + "DataIntegrityProof", "@context": proof},
    }


#: Term → IRI of the newest core context; keywords (`id`, `type`) are not among them.
CORE_TERMS: Mapping[str, str] = {
    term: (PREFIXES[iri[: iri.index(":")]] + iri[iri.index(":") + 1 :])
    if iri.partition(":")[0] in PREFIXES
    else iri
    for term, definition in core_context().items()
    if not term.startswith("@") and term not in ("id", "type")
    for iri in (definition if isinstance(definition, str) else definition["@id"],)
}
