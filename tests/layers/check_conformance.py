#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# tests/layers/check_conformance.py - files, folders and tests that the documentation names are there.
# Prints every one that is not; exit status 1 if there is one. Does not prove that a test holds what
# a document says of it.
"""check_conformance.py ROOT: files and tests that the documentation at ROOT names in backticks."""

import re
import sys
from pathlib import Path

DOCS = ("README.md", "docs", "perf/README.md")  # of a folder all Markdown
TOPS = ("app", "docs", "lib", "perf", "tests", "tools")
QUOTED = re.compile(r"`([^`\n]+)`")
TEST_NAME = re.compile(r"^([A-Z]\w*)\.([A-Z]\w*)$")
BARE_NAME = re.compile(r"^[A-Z][a-z]+[A-Z]\w+$")  # of a test, in a line that names its file
TEST_FILE = re.compile(r"\btest_\w+\.cpp")
TEST_LINE = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)
FILE_NAME = re.compile(r"^[a-z_0-9/]+\.(?:cpp|hpp|py|md)$")
PATH = re.compile(r"^(?:app|config|docs|findings|lib|perf|tests|tools)/[a-z_0-9./*-]*$")


def tests_of(root):
    """Suite.Name of every GoogleTest in the tree."""
    names = set()
    for path in (root / "tests").rglob("*.cpp"):
        names.update(f"{suite}.{name}" for suite, name in TEST_LINE.findall(path.read_text()))
    return names


def is_there(root, name):
    """By its path from the root, or below lib/, tests/ or perf/; without a folder, by its name."""
    if "/" not in name:
        return any(any((root / top).rglob(name)) for top in TOPS)
    return any(any(root.glob(path.rstrip("/"))) for path in (
        name, f"lib/{name}", f"tests/{name}", f"perf/{name}"))


def missing(root, doc, tests):
    """Yields (line number, name)."""
    bare = {test.partition(".")[2] for test in tests}
    for number, line in enumerate((root / doc).read_text().splitlines(), start=1):
        for name in QUOTED.findall(line):
            test = TEST_NAME.match(name)
            if test and name not in tests:
                yield number, name
            elif (FILE_NAME.match(name) or PATH.match(name)) and not is_there(root, name):
                yield number, name
            elif BARE_NAME.match(name) and TEST_FILE.search(line) and name not in bare:
                yield number, name


def main():
    root = Path(sys.argv[1])
    tests = tests_of(root)
    docs = [path.relative_to(root).as_posix() for name in DOCS
            for path in (sorted((root / name).glob("*.md")) or [root / name])]
    broken = [(doc, number, name) for doc in docs for number, name in missing(root, doc, tests)]
    for doc, number, name in broken:
        print(f"{doc}:{number}: `{name}` is not there")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
