"""How closely processes were looked at: for the test report, and for what the tests promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Seconds between two looks of the sampler, on average and at most, on two processors that a deployment keeps busy.
MEAN, MOST = 0.05, 1.0


@dataclass(frozen=True)
class Figures:
    """Those of one watch."""

    #: Why processes were not traced, when they were not.
    refused: str
    #: Processes that became another program, those of them that were gone when they were to be read, and seconds from
    #: the one to the other, at most.
    execs: int
    unread: int
    latest: float
    #: Seconds between two looks of the sampler, on average and at most.
    beat: float
    gap: float

    def require(self) -> None:
        """Require that nothing can have passed by unseen."""
        assert self.unread == 0, f"{self.unread} of {self.execs} processes were gone before they were read"
        assert self.beat < MEAN, f"The sampler looked every {self.beat:.3f} s"
        assert self.gap < MOST, f"The sampler did not look for {self.gap:.3f} s"


def figures(refused: str, sampled: dict[str, Any], traced: list[dict[str, Any]]) -> Figures:
    """Return what the sampler and the tracers report."""
    return Figures(
        refused,
        sum(report["execs"] for report in traced),
        sum(report["unread"] for report in traced),
        max((report["latest"] for report in traced), default=0),
        sampled["beat"],
        sampled["gap"],
    )


def told(watches: list[Figures]) -> list[str]:
    """Return what the test report says of all watches."""
    refused = [watch.refused for watch in watches if watch.refused]
    execs, unread = (sum(getattr(watch, name) for watch in watches) for name in ("execs", "unread"))
    latest, beat, gap = (max(getattr(watch, name) for watch in watches) * 1000 for name in ("latest", "beat", "gap"))
    return [
        f"exec tracing refused in {len(refused)} of {len(watches)} watches, polling alone: {refused[0]}"
        if refused
        else f"exec tracing: {execs} processes read at their exec, {latest:.1f} ms behind it at most, {unread} not",
        f"polling beside it: every {beat:.1f} ms in the slowest watch, {gap:.0f} ms at most",
    ]
