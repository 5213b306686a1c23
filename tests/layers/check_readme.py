# SPDX-License-Identifier: BSD-3-Clause
"""What README quotes is what the programs say, and what it tells people to run is there.

Quoted messages: the first column of "Troubleshooting", but for what other programs say. Each piece
between dots, values and numbers must be in a text of the sources. Commands: those behind a '$' in a
block, and programs of the tree that are named by their path.
"""

import re
import sys
from pathlib import Path

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


def quotes_of(readme: str) -> list[str]:
    table = readme.split("\n## Troubleshooting\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    return [
        quote
        for cell in cells[1:]
        for part in re.split(r"; state stays|; ", cell)
        if not part.startswith(_OTHERS)
        for quote in re.findall(r"`([^`]*)`(?!:)", part)  # not the command that says it
    ]


def wrong_quotes(readme: str, texts: str) -> list[str]:
    return [
        f"README quotes `{quote}`, and no program says '{piece}'"
        for quote in quotes_of(readme)
        for piece in pieces(quote)
        if not is_said(piece, texts)
    ]


def wrong_commands(readme: str, root: Path) -> list[str]:
    wrong = []
    known = set(re.findall(r'"([a-z]+)"', (root / "app/vballoonctl/arguments.cpp").read_text()))
    for words in re.findall(r"^ *\$ (.*)$", readme, re.MULTILINE):
        command = re.search(r"vballoonctl(?: --\S+)* ([a-z]+)", words)
        if command and command[1] not in known:
            wrong.append(f"README runs `{words}`, and vballoonctl has no '{command[1]}'")
    demo = (root / "tools/demo").read_text()
    for path in set(re.findall(r"build/(app/[\w-]+/[\w-]+)", readme)):
        if path not in demo:
            wrong.append(f"README runs build/{path} after tools/demo, which does not build it")
    for path in set(re.findall(r"^(?:\$ )?((?:tools|perf)/[\w-]+)", readme, re.MULTILINE)):
        if not (root / path).exists():
            wrong.append(f"README runs {path}, which is not there")
    return wrong


def main() -> int:
    root = Path(sys.argv[1])
    readme = (root / "README.md").read_text()
    wrong = wrong_quotes(readme, texts_of_sources(root)) + wrong_commands(readme, root)
    print("\n".join(wrong) or f"{len(quotes_of(readme))} quotes and all commands hold")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
