"""The API that is fuzzed: the same routes as the conformance tests."""

from __future__ import annotations

from conformance.ngsi_ld.conftest import ngsi as ngsi
