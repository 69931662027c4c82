"""Units of measure by UN/CEFACT Recommendation 20 common code, as NGSI-LD's `unitCode` asks."""

from __future__ import annotations

from msgspec import Struct

from nagara.values.errors import Problem


class Unit(Struct, frozen=True):
    """A unit: its UN/CEFACT code, the sign people read, and its factor to the coherent SI unit."""

    code: str
    sign: str
    quantity: str
    factor: float = 1.0
    offset: float = 0.0  # SI value = value * factor + offset


class UnitUnknown(Problem):
    """A unit code that is not in the table."""

    code = "unit-unknown"


class UnitMismatch(Problem):
    """Two units that measure different quantities."""

    code = "unit-mismatch"


UNITS: dict[str, Unit] = {
    unit.code: unit
    for unit in (
        Unit("GQ", "µg/m³", "mass concentration", 1e-9),
        Unit("GP", "mg/m³", "mass concentration", 1e-6),
        Unit("59", "ppm", "fraction", 1e-6),
        Unit("61", "ppb", "fraction", 1e-9),
        Unit("P1", "%", "fraction", 1e-2),
        Unit("C62", "", "count"),
        Unit("CEL", "°C", "temperature", 1.0, 273.15),
        Unit("FAH", "°F", "temperature", 5 / 9, 459.67 * 5 / 9),
        Unit("KEL", "K", "temperature"),
        Unit("MMT", "mm", "length", 1e-3),
        Unit("CMT", "cm", "length", 1e-2),
        Unit("MTR", "m", "length"),
        Unit("KMT", "km", "length", 1e3),
        Unit("MTS", "m/s", "speed"),
        Unit("KMH", "km/h", "speed", 1 / 3.6),
        Unit("MTK", "m²", "area"),
        Unit("MTQ", "m³", "volume"),
        Unit("LTR", "l", "volume", 1e-3),
        Unit("MQS", "m³/s", "volume flow"),
        Unit("A97", "hPa", "pressure", 100.0),
        Unit("PAL", "Pa", "pressure"),
        Unit("VLT", "V", "voltage"),
        Unit("2Z", "mV", "voltage", 1e-3),
        Unit("AMP", "A", "current"),
        Unit("WTT", "W", "power"),
        Unit("KWT", "kW", "power", 1e3),
        Unit("KWH", "kWh", "energy", 3.6e6),
        Unit("JOU", "J", "energy"),
        Unit("LUX", "lx", "illuminance"),
        Unit("2N", "dB", "level"),
        Unit("HTZ", "Hz", "frequency"),
        Unit("SEC", "s", "time"),
        Unit("MIN", "min", "time", 60.0),
        Unit("HUR", "h", "time", 3600.0),
        Unit("DAY", "d", "time", 86400.0),
        Unit("DD", "°", "angle", 0.017453292519943295),
        Unit("E96", "°/s", "angular velocity", 0.017453292519943295),
        Unit("K40", "g", "acceleration", 9.80665),
        Unit("C66", "mmol/kg", "molality"),
    )
}


def get_unit(code: str) -> Unit:
    """The unit of a UN/CEFACT code. Raises `UnitUnknown`, naming a near code where one is seen."""
    try:
        return UNITS[code]
    except KeyError:
        plain = code.strip().lower().replace("^3", "³").replace("m3", "m³").replace("ug", "µg")
        near = next((u.code for u in UNITS.values() if plain and u.sign.lower() == plain), "")
        raise UnitUnknown(got=code, near=near or "GQ (µg/m³), MMT (mm), CEL (°C)") from None


def sign_of(code: str) -> str:
    """The sign that people read for a code; the code itself where the table does not have it."""
    unit = UNITS.get(code)
    return unit.sign if unit else code


def convert(value: float, from_code: str, to_code: str) -> float:
    """`value` in another unit of the same quantity. Raises `UnitUnknown`, `UnitMismatch`."""
    source, target = get_unit(from_code), get_unit(to_code)
    if source.quantity != target.quantity:
        raise UnitMismatch(got=from_code, expected=to_code)
    return (value * source.factor + source.offset - target.offset) / target.factor
