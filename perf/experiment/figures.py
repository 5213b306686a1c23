# SPDX-License-Identifier: BSD-3-Clause
"""From runs to averages, ratios, the mail's tables and what is held against the bars."""

import statistics

from report.bars import Bar

from .plan import GUESTS, LAWS

# Name of the ratio and the figure of which it is the ratio, law to none.
RATIOS = {
    "swap_in_ratio": "swap_in",
    "swap_out_ratio": "swap_out",
    "major_faults_ratio": "major_faults",
    "records_ratio": "records",
    "elapsed_ratio": "elapsed_s",
}
_BOUNDS = (
    ("swap_in_ratio", 0.005, False, "host swap in, of no ballooning"),
    ("swap_out_ratio", 0.03, False, "host swap out"),
    ("major_faults_ratio", 0.04, False, "major faults of both guests' processes"),
    ("records_ratio", 1.0, True, "records/s, both guests, all phases"),
    ("elapsed_ratio", 0.98, False, "elapsed time of both guests"),
)
BARS = tuple(Bar(f"balance.{key}", bound, least, what) for key, bound, least, what in _BOUNDS)
_PROCESS = {
    "elapsed_s": "elapsed s",
    "user_s": "user s",
    "sys_s": "sys s",
    "cpu_percent": "CPU %",
    "major_faults": "major f.",
    "minor_faults": "minor f.",
    "records": "total recs/s",
    "guest_swap_in": "guest swap in",
    "guest_swap_out": "guest swap out",
}
# Two runs of the same differ by that much: a row is worse only beyond it.
_NOISE = 0.01


def averages(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.fmean(run[key] for run in runs) for key in runs[0]}


def flat(means: dict[str, dict[str, float]]) -> dict[str, float]:
    """@param means  variant to figures. @return  one object: VARIANT.FIGURE and VARIANT.RATIO"""
    found = {f"{law}.{key}": value for law in means for key, value in means[law].items()}
    for variant in (name for name in means if name != "none" and "none" in means):
        for ratio, key in RATIOS.items():
            if means["none"][key]:
                found[f"{variant}.{ratio}"] = means[variant][key] / means["none"][key]
    return found


def host_table(means: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    rows = [("host", "swap in, pages", "swap out, pages", "of none: in", "out", "major f.",
             "records/s", "elapsed")]
    numbers = flat(means)
    for variant, found in means.items():
        ratios = (numbers.get(f"{variant}.{key}") for key in RATIOS)
        shares = ("" if value is None else f"{value:.4f}" for value in ratios)
        rows.append((variant, _number(found["swap_in"]), _number(found["swap_out"]), *shares))
    return rows


def guest_table(means: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    rows = [("guest", *_PROCESS.values())]
    for variant, found in means.items():
        for name in GUESTS:
            values = (_number(found[f"{name}.{key}"]) for key in _PROCESS)
            rows.append((f"{variant}, {name}", *values))
    return rows


def worse_rows(means: dict[str, dict[str, float]]) -> list[str]:
    """Rows on which balance is worse than pressure. @pre  both were run"""
    ours, theirs = (means[law] for law in reversed(LAWS))
    rows = [*RATIOS.values(), *(f"{name}.guest_swap_{way}" for name in GUESTS
                                for way in ("in", "out"))]
    found = []
    for row in rows:
        more, less = (theirs, ours) if row == "records" else (ours, theirs)
        if more[row] > less[row] * (1 + _NOISE):
            found.append(f"{row}: {_number(ours[row])}, with pressure {_number(theirs[row])}")
    return found


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:.2f}"
