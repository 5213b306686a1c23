# SPDX-License-Identifier: BSD-3-Clause
"""Draws the plots that README.md and perf/README.md show, with python3-matplotlib."""

from pathlib import Path

_OURS, _BASE, _LIMIT = "#1f6fb2", "#c9803d", "#8a8a8a"


def draw(figures: dict[str, float], folder: Path) -> list[Path]:
    """@return  the files written; plots whose figures are not there are left out."""
    import matplotlib

    matplotlib.use("Agg")
    plots = {"discard": _discard, "windows": _windows, "vms": _vms, "ack": _ack}
    written = []
    for name, plot in plots.items():
        path = folder / f"{name}.png"
        try:
            figure = plot(figures)
        except KeyError as key:
            print(f"no plot {name}: {key} was not measured")
            continue
        figure.savefig(path, dpi=110, bbox_inches="tight")
        written.append(path)
    return written


def _axes(title: str, unit: str):
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3.6))
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_ylabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _bars(axes, groups: list[str], series: list[tuple[str, str, list[float]]]) -> None:
    width = 0.8 / len(series)
    for place, (label, colour, values) in enumerate(series):
        at = [group + (place - (len(series) - 1) / 2) * width for group in range(len(groups))]
        drawn = axes.bar(at, values, width * 0.92, label=label, color=colour)
        axes.bar_label(drawn, [_label(value) for value in values], fontsize=7, padding=2)
    axes.set_xticks(range(len(groups)), groups, fontsize=8)
    if len(series) > 1:
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncol": len(series)}
        axes.legend(frameon=False, fontsize=8, **below)


def _label(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _discard(f: dict[str, float]):
    figure, axes = _axes("Giving 4 KiB memory back: less is better", "ns per page (log)")
    groups = {
        "ascending": ("unmapped.ascending", "unmapped.ascending_by_page", "unmapped"),
        "descending": ("unmapped.descending", "unmapped.descending_by_page", "unmapped"),
        "runs of 16": ("large.runs16", "windows.by_page", "large"),
        "random,\nfull window": ("random.full_window", "random.by_page", "random"),
        "ascending,\nneighbour idle": ("mapped.ascending", "mapped.ascending_by_page", "mapped"),
        "ascending,\nneighbour busy": ("busy.ascending", "busy.ascending_by_page", "busy"),
    }
    key = "{}_ns_per_page".format
    series = [
        ("vballoon", _OURS, [f[key(ours)] for ours, _, _ in groups.values()]),
        ("page by page", _BASE, [f[key(base)] for _, base, _ in groups.values()]),
        ("one hole (limit)", _LIMIT, [f[key(f"{at}.limit")] for _, _, at in groups.values()]),
    ]
    axes.set_yscale("log")
    _bars(axes, list(groups), series)
    return figure


def _windows(f: dict[str, float]):
    figure, axes = _axes("Shuffled runs of 16: what a window is worth", "share of one hole's speed")
    groups = {"page by page": "by_page", "a pass\na buffer": "by_buffer"}
    groups |= {f"window {size:,}": f"{size}" for size in (256, 4096, 32768)}
    groups["default\n(1,048,576)"] = "default"
    values = [f[f"windows.{name}_of_limit"] for name in groups.values()]
    _bars(axes, list(groups), [("", _OURS, values)])
    axes.axhline(1, color=_LIMIT, linewidth=1)
    return figure


def _vms(f: dict[str, float]):
    figure, axes = _axes("The real daemon, one poll lcore, inline discards", "ns per page")
    counts = [1, 2, 8, 64, 1000]
    series = [
        ("vballoond", _OURS, [f[f"vms.{n}.early_ns_per_page"] for n in counts]),
        ("page by page", _BASE, [f[f"vms.{n}.by_page_ns_per_page"] for n in counts]),
        ("one hole a VM (limit)", _LIMIT, [f[f"vms.{n}.limit_ns_per_page"] for n in counts]),
    ]
    _bars(axes, ["1 VM", *(f"{n:,} VMs" for n in counts[1:])], series)
    return figure


def _ack(f: dict[str, float]):
    figure, axes = _axes("A 256-page buffer, available to used", "us, median (log)")
    names = {
        "two cores and\na cache line\n(limit)": "limit",
        "early,\nreclaim lcore": "early",
        "early,\ninline discards": "early_inline",
        "late,\ninline discards": "late_inline",
        "page by page": "by_page",
    }
    axes.set_yscale("log")
    _bars(axes, list(names), [("", _OURS, [f[f"ack.{name}.p50_us"] for name in names.values()])])
    return figure
