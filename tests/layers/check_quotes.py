#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# tests/layers/check_quotes.py - what README and docs quote is what programs and benches say.
"""check_quotes.py ROOT: messages, commands and figures that the documentation at ROOT quotes.

Messages: the first column of "Troubleshooting", but for what other programs say. Each piece between
dots, values and numbers must be in a text of the sources. Commands: those behind a '$' in a block,
vballoonctl's in backticks, and programs of the tree that are named by their path. Figures: README's
key figures, by their keys in perf/plots/results.md.
"""

import re
import sys
from pathlib import Path

TROUBLESHOOTING = "docs/operations.md"
COMMANDS = ("README.md", "docs/operations.md", "docs/vmms.md", "docs/policy.md", "perf/README.md")
_LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_VALUE = re.compile(r"\.\.\.|\{[^}]*\}|'?\b\d+(?:\.\d+)?(?:%| s)?'?|\b[A-Z]{4,}\b")
_OTHERS = ("QEMU",)


def texts_of_sources(root: Path) -> str:
    """All string literals, those that stand side by side as one, values left out."""
    found = []
    for folder in ("lib", "app"):
        for path in sorted((root / folder).rglob("*.[ch]pp")):
            lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
            joined = re.sub(r'"\s*\n?\s*"', "", "\n".join(lines))
            found += [match[1].replace('\\"', '"') for match in _LITERAL.finditer(joined)]
    return "\n".join(found)


def pieces(quote: str) -> list[str]:
    quote = re.sub(r"^(?:vballoond|vballoonctl|stats|set|show): ", "", quote)
    return [p for piece in _VALUE.split(quote) if " " in (p := piece.strip(" :;,'"))]


def is_said(piece: str, texts: str) -> bool:
    """As one text, or as two that a program puts together, of two words each at least."""
    words = piece.split()
    return piece in texts or any(
        " ".join(words[:cut]) in texts and " ".join(words[cut:]) in texts
        for cut in range(2, len(words) - 1)
    )


def quotes_of(page: str) -> list[str]:
    table = page.split("\n## Troubleshooting\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    return [
        quote
        for cell in cells[1:]
        for part in re.split(r"; state stays|; ", cell)
        if not part.startswith(_OTHERS)
        for quote in re.findall(r"`([^`]*)`(?!:)", part)  # not the command that says it
    ]


def wrong_quotes(page: str, texts: str) -> list[str]:
    return [
        f"{TROUBLESHOOTING} quotes `{quote}`, and no program says '{piece}'"
        for quote in quotes_of(page)
        for piece in pieces(quote)
        if not is_said(piece, texts)
    ]


def wrong_commands(doc: str, page: str, root: Path) -> list[str]:
    wrong = []
    arguments = (root / "app/vballoonctl/arguments.cpp").read_text()
    known = set(re.findall(r'"([a-z][a-z-]*)"', arguments))
    typed = re.findall(r"^ *\$ (.*)$", page, re.MULTILINE)
    typed += re.findall(r"`(vballoonctl [^`\n]*)`", page)
    for words in typed:
        command = re.search(r"vballoonctl(?: --\S+)* ([a-z][a-z-]*)", words)
        if command and command[1] not in known:
            wrong.append(f"{doc} runs `{words}`, and vballoonctl has no '{command[1]}'")
    demo = (root / "tools/demo").read_text()
    for path in sorted(set(re.findall(r"build/(app/[\w-]+/[\w-]+)", page))):
        if path not in demo:
            wrong.append(f"{doc} runs build/{path} after tools/demo, which does not build it")
    for path in sorted(set(re.findall(r"^(?:\$ )?((?:tools|perf)/[\w-]+)", page, re.MULTILINE))):
        if not (root / path).exists():
            wrong.append(f"{doc} runs {path}, which is not there")
    return wrong


def figures_of(table: str) -> dict[str, list[str]]:
    """Of each key in a table of bars: its value, and what stands beside it as baseline."""
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
    return {row[1]: [row[2], row[5]] for row in rows if len(row) > 6 and "." in row[1]}


def wrong_figures(readme: str, table: str) -> list[str]:
    """A row of README that ends in a key has the key's value, and its baseline or none."""
    wrong = []
    figures = figures_of(table)
    rows = re.findall(r"^\|(.*)\| `([a-z_0-9]+\.[a-z_0-9.]+)` \|$", readme, re.MULTILINE)
    for text, key in rows:
        value, baseline = figures.get(key, ["", ""])
        numbers = re.findall(r"\d[\d,.]*\d|\d", text.split("|", 1)[1])
        if not numbers or any(number not in (value, baseline) for number in numbers):
            wrong.append(f"README says{text.split('|', 1)[1].rstrip()} of {key}; "
                         f"perf/plots/results.md has '{value}', baseline '{baseline}'")
    return wrong if rows else ["README has no key figures"]


def main() -> int:
    root = Path(sys.argv[1])
    pages = {doc: (root / doc).read_text() for doc in COMMANDS}
    quotes = pages[TROUBLESHOOTING]
    wrong = wrong_quotes(quotes, texts_of_sources(root))
    wrong += [why for doc, page in pages.items() for why in wrong_commands(doc, page, root)]
    wrong += wrong_figures(pages["README.md"], (root / "perf/plots/results.md").read_text())
    print("\n".join(wrong) or f"{len(quotes_of(quotes))} quotes, all commands and figures hold")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
