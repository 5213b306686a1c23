# SPDX-License-Identifier: BSD-3-Clause
"""Draws the course of perf/auto-balloon: memory and swap over time, a column for each variant."""

from pathlib import Path

_COLOURS = {"vm-down": "#1f6fb2", "vm-up": "#c9803d"}
_SWAP, _LIMIT = "#b23a48", "#8a8a8a"
_MIB = 1 << 20
_LEAST_MIB = 64  # of an axis: a few pages are to look like a few
_TITLES = {
    "none": "no ballooning",
    "reporting": "free page reporting",
    "roomy": "room for both",
    "pressure": "law pressure",
    "balance": "law balance",
}


def draw(courses: dict[str, list[dict[str, float]]], limit: int, path: Path) -> None:
    """@param courses  variant to samples, as experiment.watch takes them.
    @param limit  bytes that the host has."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    size = (4.2 * len(courses) + 0.6, 6.6)
    figure, grid = pyplot.subplots(
        3, len(courses), figsize=size, sharex="col", sharey="row", squeeze=False
    )
    for column, (variant, samples) in enumerate(courses.items()):
        memory, balloon, swap = grid[:, column]
        memory.set_title(_TITLES[variant], loc="left", fontsize=11)
        _memory(memory, samples, limit)
        _lines(balloon, samples, "balloon")
        _fill(swap, samples, "host_swap", _SWAP)
        swap.set_xlabel("seconds")
    for axes, what in zip(grid[:, 0], ("behind the guest", "balloon", "host swap used")):
        axes.set_ylabel(f"{what}, MiB")
    for axes in grid.flat:
        axes.set_ylim(0, max(_LEAST_MIB, axes.get_ylim()[1]))
        axes.spines[["top", "right"]].set_visible(False)
    grid[0, 0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _memory(axes, samples, limit: int) -> None:
    _lines(axes, samples, "memory")
    axes.plot(_column(samples, "seconds"), _mib(samples, "host_used"), color=_LIMIT, linewidth=1,
              label="in memory, host's own included")
    axes.axhline(limit / _MIB, color=_LIMIT, linewidth=1, linestyle=":", label="limit")


def _lines(axes, samples, key: str) -> None:
    for name, colour in _COLOURS.items():
        axes.plot(_column(samples, "seconds"), _mib(samples, f"{name}.{key}"), color=colour,
                  label=name)


def _fill(axes, samples, key: str, colour: str) -> None:
    axes.fill_between(_column(samples, "seconds"), _mib(samples, key), color=colour, linewidth=0)


def _column(samples, key: str) -> list[float]:
    return [sample[key] for sample in samples]


def _mib(samples, key: str) -> list[float]:
    return [sample[key] / _MIB for sample in samples]
