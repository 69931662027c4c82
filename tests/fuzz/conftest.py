"""The API that is fuzzed: the same routes as the conformance tests, on one city for a file."""

from __future__ import annotations

from conformance.ngsi_ld.conftest import context as context
from conformance.ngsi_ld.conftest import guard as guard
from conformance.ngsi_ld.conftest import ngsi as ngsi
from conformance.ngsi_ld.conftest import served as served
