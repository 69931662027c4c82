"""A city is data: reads a kit folder into one frozen `City`."""

from __future__ import annotations

from nagara.city.kit import bundled_kit, bundled_kits, named_kit, read_kit
from nagara.city.model import Category, City, Department, District, Place, Threshold

__all__ = [
    "Category",
    "City",
    "Department",
    "District",
    "Place",
    "Threshold",
    "bundled_kit",
    "bundled_kits",
    "named_kit",
    "read_kit",
]
