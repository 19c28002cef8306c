"""Draws what bench/outage.py measured."""

from __future__ import annotations

import math
import statistics
from pathlib import Path


def draw(rows: list[tuple[str, str, list[float]]], file: Path) -> None:
    """Draw the median outage of each way and condition as a bar, and each run as a point, into ``file``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ways = list(dict.fromkeys(way for way, _, _ in rows))
    conditions = list(dict.fromkeys(condition for _, condition, _ in rows))
    colours = dict(zip(ways, ("#b0b7bf", "#1f6feb"), strict=True))
    figure, axes = pyplot.subplots(figsize=(9, 4.5), dpi=130)
    height = 0.38
    end = max(time for _, _, times in rows for time in times if math.isfinite(time)) * 1.15 + 0.5
    for way, condition, times in rows:
        place = conditions.index(condition) + (ways.index(way) - 0.5) * height
        if not all(map(math.isfinite, times)):
            axes.barh(place, end, height, color=colours[way], hatch="//", edgecolor="white")
            axes.text(end / 2, place, "stays away", va="center", ha="center", fontsize=9, color="#24292f")
            continue
        median = statistics.median(times)
        axes.barh(place, median, height, color=colours[way], label=way if condition == conditions[0] else None)
        axes.plot(times, [place] * len(times), "|", color="#24292f", markersize=7)
        axes.text(max(times) + 0.15, place, f"{median:.2f} s", va="center", fontsize=9, color="#24292f")
    axes.set_yticks(range(len(conditions)), conditions)
    axes.invert_yaxis()
    axes.set_xlabel("longest time without an answer from loop-api, seconds (bar: median, ticks: each run)")
    axes.set_title("How long loop-api is away while it is replaced", loc="left", fontsize=12)
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(0, end)
    figure.tight_layout()
    figure.savefig(file)
