"""Reads the shapes of the kit-data folder at run time: district outlines and map layers.

Nothing of the folder is copied into the project or the database. What was read is simplified for
the web and kept as GeoJSON in the city's own data folder, under a name that changes when the
source files or the recipe change; a broken or stale file there is read anew, never trusted.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from nagara.city.areas import GRID_DEGREES, DistrictIndex, Shapes
from nagara.city.errors import KitDataUnreadable
from nagara.city.model import City
from nagara.city.sources import ShapeSource
from nagara.values.geo import to_geojson

#: Change it when the recipe below changes, so that old files are not taken for new ones.
RECIPE = "1"
#: A source file is a city's map, not a country's; more would stall the start.
SOURCE_BYTES_MAX = 64 * 2**20
METRES_PER_DEGREE = 111_195.0  # of latitude, on the mean sphere


def read_shapes(city: City, kit_data: Path | None, cache_dir: Path | None) -> Shapes:
    """The shapes that `city.toml` names, from the kit-data folder, cached in `cache_dir`.

    A file that is absent leaves its layer out; without districts the city falls back to cells
    around centres (`City.with_shapes`). Raises `KitDataUnreadable` for a file that is there but
    is not what the kit says.
    """
    districts: DistrictIndex | None = None
    layers: dict[str, Mapping[str, Any]] = {}
    for source in city.shape_sources:
        files = _present(source, kit_data)
        if not files:
            continue
        found = _cached(city, source, files, cache_dir)
        if source.layer == "districts":
            outlines = {
                feature["properties"]["code"]: shape(feature["geometry"])
                for feature in found["features"]
            }
            districts = DistrictIndex(outlines, approximate=False)
        else:
            layers[source.layer] = found
    return Shapes(districts=districts, layers=layers)


def _present(source: ShapeSource, kit_data: Path | None) -> list[Path]:
    if kit_data is None:
        return []
    files = [kit_data / path for path in source.paths]
    return files if all(file.is_file() for file in files) else []


def _cached(
    city: City, source: ShapeSource, files: list[Path], cache_dir: Path | None
) -> dict[str, Any]:
    path = None if cache_dir is None else cache_dir / _cache_name(city, source, files)
    if path is not None:
        kept = _read_cache(path)
        if kept is not None:
            return kept
    build = _districts if source.layer == "districts" else _layer
    found = build(city, source, [_read_features(file) for file in files])
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")  # a start that is killed leaves no half file
        part.write_text(json.dumps(found, ensure_ascii=False, separators=(",", ":")), "utf-8")
        part.replace(path)
    return found


def _cache_name(city: City, source: ShapeSource, files: list[Path]) -> str:
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    codes = [district.code for district in city.districts]
    said = repr((RECIPE, source, stats, codes if source.layer == "districts" else city.bounds))
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    return f"shapes-{source.layer}-{digest}.geojson"


def _read_cache(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("features"), list):
        return None
    return found


def _read_features(file: Path) -> tuple[str, list[dict[str, Any]]]:
    if file.stat().st_size > SOURCE_BYTES_MAX:
        raise KitDataUnreadable(file=file.name, reason=f"> {SOURCE_BYTES_MAX} bytes")
    try:
        found = json.loads(file.read_text("utf-8-sig"))
        features = [f for f in found["features"] if f.get("geometry")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"GeoJSON FeatureCollection ({type(error).__name__})"
        raise KitDataUnreadable(file=file.name, reason=reason) from error
    return file.name, features


def _districts(
    city: City, source: ShapeSource, sets: list[tuple[str, list[dict[str, Any]]]]
) -> dict[str, Any]:
    """Districts dissolved from the features that carry the same official code."""
    known = {district.code for district in city.districts}
    key = source.properties.get("code", "code")
    parts: dict[str, list[BaseGeometry]] = defaultdict(list)
    for name, features in sets:
        for feature in features:
            code = str((feature.get("properties") or {}).get(key, ""))
            if code not in known:
                raise KitDataUnreadable(file=name, reason=f"{key}={code!r}: districts.csv")
            parts[code].append(_read_geometry(name, feature))
    missing = sorted(known - parts.keys())
    if missing:
        raise KitDataUnreadable(file=sets[0][0], reason=f"{key}: – {', '.join(missing)}")
    codes = sorted(parts)
    dissolved = [shapely.union_all(parts[code]) for code in codes]
    if source.simplify_m > 0:
        # neighbours keep a common border: simplified as one coverage, not one by one
        simplified = shapely.coverage_simplify(dissolved, source.simplify_m / METRES_PER_DEGREE)
        dissolved = list(simplified)
    return _collection(
        (_feature(_rounded(outline), {"code": code}))
        for code, outline in zip(codes, dissolved, strict=True)
    )


def _layer(
    city: City, source: ShapeSource, sets: list[tuple[str, list[dict[str, Any]]]]
) -> dict[str, Any]:
    """A map layer: what lies within the bounds, simplified, with the properties asked for."""
    west, south, east, north = city.bounds
    frame = shapely.box(west, south, east, north)
    shapely.prepare(frame)
    tolerance = source.simplify_m / METRES_PER_DEGREE
    found = []
    for file, features in sets:
        for feature in features:
            geometry = _read_geometry(file, feature)
            if geometry.geom_type == "Point" or not frame.intersects(geometry):
                continue  # points are labels of a foreign map; ours are in places.csv
            geometry = _rounded(geometry.simplify(tolerance) if tolerance else geometry)
            if geometry.is_empty:
                continue
            theirs = feature.get("properties") or {}
            wanted = {ours: theirs.get(name) for ours, name in source.properties.items()}
            kept = {ours: value for ours, value in wanted.items() if _is_plain(value)}
            found.append(_feature(geometry, kept))
    return _collection(found)


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int | float) and math.isfinite(value)


def _read_geometry(name: str, feature: dict[str, Any]) -> BaseGeometry:
    try:
        geometry: BaseGeometry = shapely.force_2d(shape(feature["geometry"]))
    except Exception as error:  # Shapely raises many kinds for broken coordinates
        raise KitDataUnreadable(file=name, reason=f"geometry: {str(error)[:120]}") from error
    return geometry if geometry.is_valid else shapely.make_valid(geometry)


def _rounded(geometry: BaseGeometry) -> BaseGeometry:
    return shapely.set_precision(geometry, GRID_DEGREES)


def _feature(geometry: BaseGeometry, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": _trimmed(to_geojson(geometry)),
    }


def _trimmed(value: Any) -> Any:
    """Coordinates with five decimals as text too: binary fractions print seventeen digits."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, list | tuple):
        return [_trimmed(item) for item in value]
    if isinstance(value, dict):
        return {key: _trimmed(item) for key, item in value.items()}
    return value


def _collection(features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}
