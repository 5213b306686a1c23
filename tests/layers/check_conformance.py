#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# tests/layers/check_conformance.py - what docs/conformance.md and docs/security.md name is there.
# Prints every file and test that is not; exit status 1 if there is one. Does not prove that a test
# holds what the table says of it.
"""check_conformance.py ROOT: files and tests named in the tables of the documentation at ROOT."""

import re
import sys
from pathlib import Path

DOCS = ("docs/conformance.md", "docs/security.md")
QUOTED = re.compile(r"`([^`\n]+)`")
TEST_NAME = re.compile(r"^([A-Z]\w*)\.([A-Z]\w*)$")
BARE_NAME = re.compile(r"^[A-Z][a-z]+[A-Z]\w+$")  # of a test, in a line that names its file
TEST_LINE = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)
TEST_FILE = re.compile(r"\btest_\w+\.cpp")
FILE_NAME = re.compile(r"^[a-z_0-9/]+\.(?:cpp|hpp|py|md)$")


def tests_of(root):
    """Suite.Name of every GoogleTest in the tree."""
    names = set()
    for path in (root / "tests").rglob("*.cpp"):
        names.update(f"{suite}.{name}" for suite, name in TEST_LINE.findall(path.read_text()))
    return names


def is_there(root, name):
    """A file by its path from the root, or below lib/ or tests/; without a folder, by its name."""
    if "/" not in name:
        return any(True for _ in (root / "lib").rglob(name)) or any(
            True for _ in (root / "tests").rglob(name)) or (root / "docs" / name).is_file()
    return any((root / path).is_file() for path in (
        name, f"lib/{name}", f"tests/{name}"))


def missing(root, doc, tests):
    """Yields (line number, name)."""
    bare = {test.partition(".")[2] for test in tests}
    for number, line in enumerate((root / doc).read_text().splitlines(), start=1):
        for name in QUOTED.findall(line):
            test = TEST_NAME.match(name)
            if test and name not in tests:
                yield number, name
            elif FILE_NAME.match(name) and not is_there(root, name):
                yield number, name
            elif BARE_NAME.match(name) and TEST_FILE.search(line) and name not in bare:
                yield number, name


def main():
    root = Path(sys.argv[1])
    tests = tests_of(root)
    broken = [(doc, number, name) for doc in DOCS for number, name in missing(root, doc, tests)]
    for doc, number, name in broken:
        print(f"{doc}:{number}: `{name}` is not there")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
