"""Sensors: how devices write what they measure. What they measure is the other packs' matter."""

from __future__ import annotations

from nagara.pack import Noun, Pack
from nagara.packs.sensors import cayenne, csv_line, elsys, json_members, senml, wyres
from nagara.packs.sensors.formulas import FORMULAS

PACK = Pack(
    name="sensors",
    nouns=(
        Noun(
            type="Device",
            meaning="A thing that measures, with its profile, codec and where it stands.",
            concerns="nobody: it belongs to the city or an institution",
            kept_days=None,
            seen_by="everyone; its credentials nobody",
            source="Smart Data Models, dataModel.Device, Device",
        ),
    ),
    codecs=(
        json_members.CODEC,
        senml.CODEC,
        csv_line.CODEC,
        cayenne.CODEC,
        elsys.CODEC,
        wyres.CODEC,
    ),
    formulas=FORMULAS,
)
