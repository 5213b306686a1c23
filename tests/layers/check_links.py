#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# tests/layers/check_links.py - links of the documentation lead somewhere.
# Prints every one that does not; exit status 1 if there is one. Asks no server: links to the web
# are not followed.
"""check_links.py ROOT: relative links, anchors and quoted sections of all Markdown at ROOT."""

import itertools
import re
import sys
from pathlib import Path

FOLDERS = (".", "docs", "perf", "perf/plots")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SECTION = re.compile(r"section (\d+)\s+of\s+\[[^\]]*\]\(([^)#\s]+)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def without_code(text):
    """Blocks and quoted code become empty: what looks like a heading or a link there is none."""
    text = re.sub(r"^( *)```.*?^\1```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def headings(path):
    blocks_out = re.sub(r"^( *)```.*?^\1```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return HEADING.findall(blocks_out)


def anchors(path):
    """As GitHub makes them: small letters, no punctuation, a dash for each space."""
    names = set()
    for heading in headings(path):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        again = itertools.count(1)
        unique = name
        while unique in names:
            unique = f"{name}-{next(again)}"
        names.add(unique)
    return names


def broken(root, doc):
    """Yields what is wrong with one file."""
    text = without_code((root / doc).read_text())
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (root / doc).parent / name if name else root / doc
        if not path.exists():
            yield f"{doc}: {target} is not there"
        elif anchor and (path.suffix != ".md" or anchor not in anchors(path)):
            yield f"{doc}: {target} has no such heading"
    for number, name in SECTION.findall(text):
        path = (root / doc).parent / name
        if path.exists() and not any(h.startswith(f"{number}. ") for h in headings(path)):
            yield f"{doc}: {name} has no section {number}"


def documents(root):
    return [path.relative_to(root).as_posix() for folder in FOLDERS
            for path in sorted((root / folder).glob("*.md"))]


def main():
    root = Path(sys.argv[1])
    docs = documents(root)
    complaints = [why for doc in docs for why in broken(root, doc)]
    print("\n".join(complaints) or f"links of {len(docs)} documents lead somewhere")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
