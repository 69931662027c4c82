"""What can go wrong around cases and reports; words in `messages/<language>/cases.json`."""

from __future__ import annotations

from nagara.values.errors import Problem


class CaseNotFound(Problem):
    """No case of that id, or none that the actor may see: one answer, so that nobody can tell."""

    code = "case-not-found"
    status = 404


class CaseContended(Problem):
    """Others kept changing the case; the act was not done."""

    code = "case-contended"
    status = 503


class CaseActIllegal(Problem):
    """An act that the state of the case does not allow. `state` is the state it is in."""

    code = "case-act-illegal"
    status = 409


class CaseAcceptIllegal(CaseActIllegal):
    """Only a case that was routed here or reopened can be accepted."""

    code = "case-accept-illegal"


class CaseStartIllegal(CaseActIllegal):
    """Only an accepted case can be started."""

    code = "case-start-illegal"


class CaseAssignIllegal(CaseActIllegal):
    """No crew is sent to a case that is over."""

    code = "case-assign-illegal"


class CaseNoteIllegal(CaseActIllegal):
    """Nothing is added to a closed case."""

    code = "case-note-illegal"


class CaseRerouteIllegal(CaseActIllegal):
    """A case that is over goes to nobody else."""

    code = "case-reroute-illegal"


class CaseResolveIllegal(CaseActIllegal):
    """Only a case that was accepted can be resolved."""

    code = "case-resolve-illegal"


class CaseRejectIllegal(CaseActIllegal):
    """A case that is over cannot be rejected."""

    code = "case-reject-illegal"


class CaseRateIllegal(CaseActIllegal):
    """Only what was done can be rated."""

    code = "case-rate-illegal"


class CaseReopenIllegal(CaseActIllegal):
    """Only a case that was resolved or rejected can be reopened."""

    code = "case-reopen-illegal"


class CaseRerouteSame(Problem):
    """The case is with that department already."""

    code = "case-reroute-same"
    status = 409


class CaseProofMissing(Problem):
    """Resolved without a photo and without a reason."""

    code = "case-proof-missing"
    status = 422


class CaseWordsMissing(Problem):
    """An act that asks for written words came without."""

    code = "case-words-missing"
    status = 422


class CaseWordsTooLong(Problem):
    """More characters than `most`."""

    code = "case-words-too-long"
    status = 422


class StarsInvalid(Problem):
    """A rating that is not 1 to 5."""

    code = "stars-invalid"
    status = 422


class CaseRated(Problem):
    """Rated before."""

    code = "case-rated"
    status = 409


class CaseReopenLate(Problem):
    """The window of `days` is over."""

    code = "case-reopen-late"
    status = 409


class CaseReopenedTooOften(Problem):
    """Reopened `most` times."""

    code = "case-reopened-too-often"
    status = 409


class CrewUnknown(Problem):
    """No crew of that name in the department."""

    code = "crew-unknown"
    status = 422


class TrackingCodeInvalid(Problem):
    """A text that cannot be a tracking code: mistyped."""

    code = "tracking-code-invalid"
    status = 422


class ReportNotFound(Problem):
    """No report of that tracking code."""

    code = "report-not-found"
    status = 404


class ReportCategoryUnknown(Problem):
    """A category that cannot be reported in this city."""

    code = "report-category-unknown"
    status = 422


class ReportOutsideCity(Problem):
    """The place lies in no district of the city."""

    code = "report-outside-city"
    status = 422


class ReportPlaceMissing(Problem):
    """No longitude and latitude, or no numbers."""

    code = "report-place-missing"
    status = 422


class ReportEmpty(Problem):
    """Neither words nor a photo."""

    code = "report-empty"
    status = 422


class ReportConsentMissing(Problem):
    """The privacy notice was not accepted."""

    code = "report-consent-missing"
    status = 422


class ReportContactTooLong(Problem):
    """A name or contact longer than `most` characters."""

    code = "report-contact-too-long"
    status = 422


class ReportKeyTooShort(Problem):
    """A stranger's idempotency key of fewer than `least` characters: others may use it too."""

    code = "report-key-too-short"
    status = 422


class ReportOfAccount(Problem):
    """The report was made with an account: what is kept of it is seen and erased there."""

    code = "report-of-account"
    status = 409
