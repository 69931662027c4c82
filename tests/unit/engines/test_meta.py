"""A data folder is of one city for ever."""

from __future__ import annotations

import pytest

from nagara.engines.database import Database
from nagara.engines.errors import CityOther
from nagara.engines.meta import settle_city


async def test_another_citys_kit_is_refused_and_its_own_is_not(database: Database) -> None:
    await settle_city(database, "th-bkk")
    await settle_city(database, "th-bkk")
    with pytest.raises(CityOther) as caught:
        await settle_city(database, "th-pkt")
    assert caught.value.params == {"found": "th-bkk", "asked": "th-pkt"}
