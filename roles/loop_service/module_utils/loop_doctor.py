"""The doctor's table: every line, in one order, whatever could be asked."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.loop_doctor_containers import containers
from ansible.module_utils.loop_doctor_nas import nas_findings
from ansible.module_utils.loop_doctor_routes import route_findings
from ansible.module_utils.loop_doctor_scan import scan
from ansible.module_utils.loop_doctor_ssh import ssh_findings
from ansible.module_utils.loop_doctor_told import Told
from ansible.module_utils.loop_finding import FAILED
from ansible.module_utils.loop_finding import OK
from ansible.module_utils.loop_finding import table


def examine(params: dict[str, Any]) -> dict[str, Any]:
    """Return the values of RETURN; what does not work is a line of the table, never an exception."""
    now = time.time()  # before anything that takes long, because the NAS just told its time
    way = ssh_findings(params["ssh"], params["answer"])
    reached = way[-1]["state"] == OK  # sudo, the last step of the way
    told = Told(params["answer"]["stdout"]) if reached else None
    # Whoever cannot look at the NAS assumes that it serves.
    deployed = bool(containers(told)) if told and told.one("engine") else True
    findings = [
        *way,
        *nas_findings(told, {**params, "now": now}),
        *route_findings(params["url"], params["ports"], deployed),
        *scan(params["scan"]),
    ]
    faults = [line["subject"] for line in findings if line["state"] == FAILED]
    return {
        "findings": findings,
        "table": table(findings),
        "reached": reached,
        "sound": not faults,
        "summary": _summary(faults),
    }


def _summary(faults: list[str]) -> str:
    named = list(dict.fromkeys(faults))
    return f"failed: {', '.join(named)}; the line of each says what to do." if named else "nothing failed."
