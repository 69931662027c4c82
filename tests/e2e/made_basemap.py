"""A PMTiles file (version 3) with one vector tile for the whole world: a park from pole to pole."""

from __future__ import annotations

import gzip
from pathlib import Path

from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

EXTENT = 4096


def write_basemap(path: Path) -> Path:
    """Write the file; its path."""
    with path.open("wb") as out:
        writer = Writer(out)
        writer.write_tile(zxy_to_tileid(0, 0, 0), gzip.compress(_tile("landuse", "park")))
        world_e7 = {"min_lon_e7": -1_800_000_000, "min_lat_e7": -850_000_000}
        world_e7 |= {"max_lon_e7": 1_800_000_000, "max_lat_e7": 850_000_000}
        middle = {"center_zoom": 0, "center_lon_e7": 0, "center_lat_e7": 0}
        kind = {"tile_type": TileType.MVT, "tile_compression": Compression.GZIP}
        layers = [{"id": "landuse", "fields": {"kind": "String"}}]
        writer.finalize({**kind, **world_e7, **middle}, {"vector_layers": layers})
    return path


def _tile(layer: str, kind: str) -> bytes:
    """A Mapbox Vector Tile 2.1: one polygon over all of the tile, with one attribute."""
    move, line, close = 1, 2, 7
    steps = [EXTENT, 0, 0, EXTENT, -EXTENT, 0]
    geometry = [move | 1 << 3, _zigzag(0), _zigzag(0), line | 3 << 3, *map(_zigzag, steps)]
    geometry.append(close | 1 << 3)
    feature = (
        _bytes(2, _varint(0) + _varint(0))  # tags: key 0, value 0
        + _number(3, 3)  # a polygon
        + _bytes(4, b"".join(map(_varint, geometry)))
    )
    body = _number(15, 2) + _bytes(1, layer.encode()) + _bytes(2, feature)
    body += _bytes(3, b"kind") + _bytes(4, _bytes(1, kind.encode())) + _number(5, EXTENT)
    return _bytes(3, body)


def _zigzag(number: int) -> int:
    return (number << 1) ^ (number >> 31)


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
