"""Device: a thing that sends readings (NGSI-LD type `Device`), mirrored from ingest's registry.

Written by `ingest`, shown by the screens. The entity never holds a credential; what a device
measures is written to the entity it feeds, not to the Device.
"""

from __future__ import annotations

from typing import Literal

TYPE = "Device"

DeviceState = Literal["enabled", "disabled"]

NAME = "name"
STATE = "deviceState"
PROFILE = "profile"
CODEC = "codec"
REF_ENTITY = "refEntity"  # Relationship to the entity that the device feeds
LOCATION = "location"
PERIOD_S = "expectedPeriod"  # seconds, unitCode SEC
CONTROLLED_PROPERTY = "controlledProperty"  # names of the attributes that it writes

#: On an entity that a device feeds: which device.
REF_DEVICE = "refDevice"
