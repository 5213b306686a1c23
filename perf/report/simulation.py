# SPDX-License-Identifier: BSD-3-Clause
"""What perf/policy-sim shows of the runs of its engine."""

from pathlib import Path

from . import table

_LAWS = ("none", "pressure", "balance")
_COLUMNS = {
    "host_swap_in_mib": "host swap in MiB",
    "host_swap_out_mib": "out",
    "guest_swap_in_mib": "guests' swap in MiB",
    "guest_swap_out_mib": "out",
    "below_need_percent": "below need %",
    "short_percent": "reserve short %",
    "moves_per_vm_minute": "moves a VM a minute",
    "reversals": "reversals",
    "unfairness_percent": "unfair %",
}
# A fault in the guests is theirs: where memory is really short the host is spared, not they.
_ABOUT_THE_HOST = ("host_swap_in_mib", "host_swap_out_mib", "short_percent")


def name(run: dict) -> str:
    return f"{run['trace']}.{run['vms']}"


def figures(runs: list[dict]) -> dict[str, float]:
    return {
        f"sim.{name(run)}.{run['law']}.{key}": value
        for run in runs
        for key, value in run["totals"].items()
    }


def worse(found: dict[str, float]) -> list[str]:
    """Where the host has it worse under `balance` than under `pressure`."""
    complaints = []
    for key, value in found.items():
        other = found.get(key.replace(".balance.", ".pressure."), value)
        if ".balance." in key and key.endswith(_ABOUT_THE_HOST) and value > other * 1.01 + 1:
            if key.endswith("short_percent") and value < 5:
                continue
            complaints.append(f"{key} is {value:.1f}, under pressure {other:.1f}")
    return complaints


def _rows(runs: list[dict]) -> list[tuple[str, ...]]:
    rows = [("trace", "VMs", "law", *_COLUMNS.values())]
    for run in runs:
        cells = (f"{run['totals'][key]:,.{_digits(run['totals'][key])}f}" for key in _COLUMNS)
        rows.append((run["trace"], str(run["vms"]), run["law"], *cells))
    return rows


def _digits(value: float) -> int:
    return 1 if 0 < value < 100 else 0


def plain(runs: list[dict]) -> str:
    return table.plain(_rows(runs))


def markdown(runs: list[dict]) -> str:
    return table.markdown(_rows(runs))


def draw(runs: list[dict], path: Path) -> Path:
    """A row for each trace that has curves, a column for each law."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn = [run for run in runs if run["curves"]]
    traces = list(dict.fromkeys(name(run) for run in drawn))
    size = (13, 2.7 * len(traces))
    figure, grid = pyplot.subplots(len(traces), len(_LAWS), figsize=size, sharey="row",
                                   squeeze=False, layout="constrained")
    for run in drawn:
        axes = grid[traces.index(name(run))][_LAWS.index(run["law"])]
        _memory(axes, run)
    figure.suptitle("Memory of the host by VM (colours), others (grey), and what is on its swap "
                    "(hatched), GiB over seconds", fontsize=11)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
    return path


def _memory(axes, run: dict) -> None:
    from matplotlib import pyplot

    curves = run["curves"]
    seconds = [point["s"] for point in curves]
    layers = [[point["others"] / 1024 for point in curves]]
    for number in range(run["vms"]):
        layers.append([point["guests"][number] / 1024 for point in curves])
    layers.append([point["swapped"] / 1024 for point in curves])
    blues = pyplot.get_cmap("viridis")
    colours = [blues(0.15 + 0.75 * number / max(run["vms"] - 1, 1)) for number in range(run["vms"])]
    stacks = axes.stackplot(seconds, layers, colors=["#b5b5b5", *colours, "#d62728"], alpha=0.85)
    stacks[-1].set_hatch("////")
    stacks[-1].set_facecolor("none")
    stacks[-1].set_edgecolor("#d62728")
    axes.axhline(run["total_mib"] / 1024, color="black", linewidth=0.8, linestyle="--")
    axes.set_title(f"{run['trace']}, {run['vms']} VMs: {run['law']}", loc="left", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.margins(x=0)
