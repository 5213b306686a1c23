# SPDX-License-Identifier: BSD-3-Clause
"""The table of bars: value, bar, met or not, and what stands beside it; then what has no bar."""

from .bars import BARS, SHOWN, Bar

_HEAD = ("key", "value", "bar", "", "baseline", "limit", "what")


def rows(
    figures: dict[str, float], missing: dict[str, str], bars: tuple[Bar, ...] = BARS
) -> list[tuple[str, ...]]:
    table = [_HEAD, *(_row(bar, figures, missing) for bar in bars)]
    if bars is BARS:
        table += [_shown(*one, figures) for one in SHOWN if one[0] in figures]
    return table


def _shown(key: str, what: str, baseline: str, figures: dict[str, float]) -> tuple[str, ...]:
    return (key, _number(figures[key]), "", "", _number(figures.get(baseline)), "", what)


def _row(bar: Bar, figures: dict[str, float], missing: dict[str, str]) -> tuple[str, ...]:
    beside = (_number(figures.get(bar.baseline)), _number(figures.get(bar.limit)))
    value = figures.get(bar.key)
    if value is None:
        why = missing.get(bar.key, "nothing has measured it")
        verdict = "not compared" if _excused(bar, missing) else "MISSING"
        return (bar.key, "-", bar.text(), verdict, *beside, why)
    verdict = "met" if bar.met(value) else "NOT MET"
    return (bar.key, _number(value), bar.text(), verdict, *beside, bar.what)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def plain(table: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in table)
    return "\n".join(line.rstrip() for line in lines)


def markdown(table: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in table]
    lines.insert(1, "|" + "---|" * len(table[0]))
    return "\n".join(lines) + "\n"


def _excused(bar: Bar, missing: dict[str, str]) -> bool:
    """A bench that failed says nothing, and is not excused."""
    return bar.compares and bar.key in missing


def not_met(
    figures: dict[str, float],
    bars: tuple[Bar, ...] = BARS,
    missing: dict[str, str] | None = None,
) -> list[str]:
    """Keys whose bar is not met, the missing ones included, unless there was nothing to compare."""
    asked = [b for b in bars if not _excused(b, missing or {})]
    return [b.key for b in asked if b.key not in figures or not b.met(figures[b.key])]
