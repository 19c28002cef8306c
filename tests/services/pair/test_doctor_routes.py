"""The doctor's lines of the reverse proxy, against both real services."""

from __future__ import annotations

from tests.services.pair.pair import Pair
from tests.unit.conftest import ROLES


def test_every_route_of_the_pair_is_ok(pair: Pair) -> None:
    """What the doctor knows each service by is what it answers; the certificate has its own tests."""
    from ansible.module_utils.loop_doctor_routes import route_findings

    lines = route_findings(pair.url, {"loop-auth": 8084, "loop-api": 8082}, True)
    assert [line for line in lines if line["state"] != "ok" and line["subject"] != "TLS"] == []
    assert len(lines) > 8 and ROLES.is_dir()  # whose import lets a role's module_utils be found
