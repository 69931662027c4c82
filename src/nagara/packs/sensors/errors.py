"""What can be wrong with a sensor's payload, each with what to do (`messages/*/packs.json`)."""

from __future__ import annotations

from nagara.pack import PayloadUnreadable


class FrameTooShort(PayloadUnreadable):
    """A binary frame that ends inside a part."""

    code = "frame-too-short"
    words = "The frame ends inside “{part}”: {need} bytes are needed, {got} are left."


class FramePartUnknown(PayloadUnreadable):
    """A part whose length is not known, so that nothing behind it can be read."""

    code = "frame-part-unknown"
    words = "The frame has a part of unknown type {tag} at byte {at}."


class FrameHeaderInvalid(PayloadUnreadable):
    """A frame that does not begin as the device's format begins."""

    code = "frame-header-invalid"
    words = "The frame does not begin as expected: {reason}."


class FrameEncodingInvalid(PayloadUnreadable):
    """Text that should be hex or base64 and is not."""

    code = "frame-encoding-invalid"
    words = "The frame is not written as {encoding}."


class PayloadNotJson(PayloadUnreadable):
    """A payload that should be JSON and is not."""

    code = "payload-not-json"
    words = "The payload is not valid JSON: {reason}."


class PayloadNotText(PayloadUnreadable):
    """A payload that should be UTF-8 text and is not."""

    code = "payload-not-text"
    words = "The payload is not UTF-8 text (byte {at})."


class MemberMissing(PayloadUnreadable):
    """A member, column or part that has to be there."""

    code = "payload-member-missing"
    words = "“{member}” is missing."


class MemberNotNumber(PayloadUnreadable):
    """A member that should be a finite number, true or false."""

    code = "payload-member-not-number"
    words = "“{member}” is no number: {got}."


class MemberNameUnusable(PayloadUnreadable):
    """A member's name that cannot be the name of an attribute as it is."""

    code = "payload-member-name"
    words = "“{member}” cannot be the name of an attribute."


class MemberUnitUnknown(PayloadUnreadable):
    """A unit that the codec cannot bring to a UN/CEFACT code."""

    code = "payload-member-unit"
    words = "“{member}” is in a unit that is not known: {got}."


class MomentUnreadable(PayloadUnreadable):
    """A moment that cannot be read, or that lacks its zone."""

    code = "payload-moment"
    words = "“{member}” is no point in time with a zone: {got}."


class TooManyReadings(PayloadUnreadable):
    """A payload with more readings than a sensor can have measured."""

    code = "payload-too-many-readings"
    words = "The payload holds more than {limit} readings."


class EnvelopeNotUplink(PayloadUnreadable):
    """A message of a network server that carries no frame (a join, a status)."""

    code = "envelope-not-uplink"
    words = "The network server's message carries no frame: “{member}” is missing."


class EnvelopeOfOtherDevice(PayloadUnreadable):
    """A frame of another device than the one it came in for."""

    code = "envelope-of-other-device"
    words = "The frame is of device {got}, not of {expected}."


class CodecOptionInvalid(PayloadUnreadable):
    """An option of the device's profile that the codec cannot work with."""

    code = "codec-option-invalid"
    words = "The profile's option “{option}” cannot be used: {reason}."
