"""Why a message is parked or refused. Codes are stored with parked messages: never rename one."""

from __future__ import annotations

from nagara.values.errors import Problem


class PayloadUnreadable(Problem):
    """A payload that the device's codec cannot read. `reason` is the codec's own sentence."""

    code = "payload-unreadable"


class PayloadTooLarge(Problem):
    """One message of more than `most` bytes."""

    code = "payload-too-large"
    status = 413


class FieldsUnknown(Problem):
    """A message in which no field is known to the device's profile."""

    code = "fields-unknown"


class ValueUnusable(Problem):
    """A value that is not a finite number, a text, or true or false."""

    code = "value-unusable"


class ObservedTooFarAhead(Problem):
    """Observed more than 24 hours after the city's time: the clock of the device is wrong."""

    code = "observed-too-far-ahead"


class ObservedAtMissing(Problem):
    """An item of a batch without an instant: heard twice, it could not be recognised."""

    code = "observed-at-missing"


class TopicUnknown(Problem):
    """An MQTT topic other than `devices/{id}/up`."""

    code = "topic-unknown"


class TopicForbidden(Problem):
    """A device published outside its own topics."""

    code = "topic-forbidden"
    status = 403


class DeviceUnknown(Problem):
    """No device of this id."""

    code = "device-unknown"
    status = 404


class DeviceDisabled(Problem):
    """The device is switched off in the registry."""

    code = "device-disabled"
    status = 403


class DeviceExists(Problem):
    """A device of this id is registered."""

    code = "device-exists"
    status = 409


class DeviceInvalid(Problem):
    """A registration that cannot be used. `reason` says which part."""

    code = "device-invalid"


class NotThisDevice(Problem):
    """A device sent a reading in the name of another."""

    code = "not-this-device"
    status = 403


class ProfileUnknown(Problem):
    """No device profile of this name."""

    code = "profile-unknown"
    status = 404


class ProfileInvalid(Problem):
    """A profile that cannot be used. `reason` says which part."""

    code = "profile-invalid"


class ProfileInUse(Problem):
    """A profile that comes with the city, or that devices use, cannot be removed."""

    code = "profile-in-use"
    status = 409


class RateExceeded(Problem):
    """A device sent more than its profile allows; `retry_after_s` says when there is room."""

    code = "rate-exceeded"
    status = 429


class IngestBusy(Problem):
    """More messages are in flight than the city takes on at once."""

    code = "ingest-busy"
    status = 503


class BatchTooLarge(Problem):
    """A body of more than `most_bytes`, or more than `most_items` items."""

    code = "batch-too-large"
    status = 413


class BatchUnreadable(Problem):
    """A body that is neither a JSON array nor CSV with a header."""

    code = "batch-unreadable"


class EntityRefused(Problem):
    """The context did not take the entity; `reason` is its sentence."""

    code = "entity-refused"


class RowUnreadable(Problem):
    """A row of a feed that its connector could not read."""

    code = "row-unreadable"


class ParkedUnknown(Problem):
    """No parked message of this number that still waits."""

    code = "parked-unknown"
    status = 404


class NotReplayable(Problem):
    """A parked message that cannot be read again. `reason` says why."""

    code = "not-replayable"
    status = 409


class FeedUnknown(Problem):
    """No feed of this name."""

    code = "feed-unknown"
    status = 404


class FeedFailed(Problem):
    """A feed did not give a usable answer. `reason` says what happened."""

    code = "feed-failed"
    status = 502


class StopUnknown(Problem):
    """No stop of public transport of this id."""

    code = "stop-unknown"
    status = 404
