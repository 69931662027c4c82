"""Building: rooms and the outside of public buildings, as small sensors see them."""

from __future__ import annotations

from nagara.pack import Noun, Pack, QualityLimits

PERIOD_S = 1800.0  # LoRaWAN sensors of the archive send every 10 to 60 minutes


def _limits(
    attribute: str, unit: str, low: float, high: float, jump: float, stuck: int, reason: str
) -> QualityLimits:
    return QualityLimits(attribute, unit, low, high, jump, stuck, PERIOD_S, reason)


PACK = Pack(
    name="building",
    nouns=(
        Noun(
            type="IndoorEnvironmentObserved",
            meaning="A room or a spot on a building with its newest climate values.",
            concerns="nobody; not for a room that one person uses alone",
            kept_days=1825,
            seen_by="everyone for public buildings",
            source="Smart Data Models, dataModel.Environment, IndoorEnvironmentObserved",
        ),
    ),
    quality=(
        _limits("temperature", "CEL", -30.0, 70.0, 15.0, 48, "Nagara default: sun on a casing"),
        _limits(
            "relativeHumidity", "P1", 0.0, 100.0, 60.0, 0, "Nagara default: 100 % for a wet night"
        ),
        _limits(
            "atmosphericPressure",
            "A97",
            600.0,
            1080.0,
            10.0,
            48,
            "Nagara default: from 4,000 m up to the highest pressure ever measured at sea level",
        ),
        _limits("co2", "59", 300.0, 10_000.0, 3_000.0, 48, "Nagara default: a full room, aired"),
        _limits("batteryVoltage", "2Z", 1_500.0, 4_500.0, 1_000.0, 0, "one or two cells"),
    ),
)
