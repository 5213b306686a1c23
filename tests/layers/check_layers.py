#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# tests/layers/check_layers.py - who may include whom, held against the #include lines.
# Source: section 2 of the design. Prints every line that breaks it; exit status 1 if there is one.
#         Does not prove that a layer names nothing of a layer it reaches through another's header.
"""check_layers.py ROOT: layer edges, external headers and file sizes of the source tree at ROOT."""

import re
import statistics
import sys
from pathlib import Path

# A layer includes only what stands behind it here, and itself.
LAYERS = {
    "base": "",
    "gmem": "base",
    "virtq": "base gmem",
    "balloon": "base",
    "reclaim": "base gmem",
    "device": "base gmem virtq balloon reclaim",
    "poll": "base reclaim device",
    "placement": "base",
    "host": "base",
    "state": "base gmem",
    "vhost": "base gmem virtq balloon reclaim device poll state",
    "policy": "base balloon",
    "rpc": "base",
    "control": "base gmem virtq balloon reclaim device poll placement host state "
               "vhost policy rpc",
    "driver": "base gmem virtq balloon",
}
# Programs. The guest's side never gets into the daemon, nor the daemon into its client.
APPS = {
    "vballoond": "base control",
    "vballoonctl": "base rpc",
    "vballoon-driver": "base balloon driver",
}
# Headers from outside, by who may include them. The first pattern that matches decides.
EXTERNAL = [
    (r"rte_vhost\w*\.h", "vhost"),
    (r"rte_(ring|mempool|errno)\.h", "reclaim poll control vhost"),
    (r"rte_\w+\.h", "poll control vhost"),
    (r"hwloc.*", "placement"),
    (r"asio([./].*)?", "control"),
    (r"nlohmann/.*", "rpc control vballoonctl vballoon-driver"),
    (r"toml\+\+/.*", "control"),
    (r"CLI/.*", "vballoond vballoonctl vballoon-driver"),
    (r"spdlog/.*", "base control"),
    (r"seccomp\.h", "control"),
    (r"(fmt|tl)/.*", "*"),
    (r"[a-z_0-9]+", "*"),  # the C++ standard library
    (r"(sys|linux|net|netinet|arpa|asm)/\w+\.h", "*"),
    (r"(fcntl|grp|poll|pthread|pwd|sched|signal|spawn|termios|time|unistd)\.h", "*"),
]
# Of these nothing may show in a public header: who includes a layer need not have what it uses.
HIDDEN = r"rte_\w+\.h|hwloc.*|toml\+\+/.*|seccomp\.h"

LONGEST_FILE = 400
SIZED = ("lib", "app", "tests", "perf", "tools")
SUFFIXES = {".cpp", ".hpp", ".py"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def includes(path):
    """Yields (line number, quoted name or None, angled name or None)."""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1), found.group(2)


def judge_quoted(root, path, unit, allowed, name):
    """Why this unit may not include "name"; None if it may."""
    layer, slash, rest = name.partition("/")
    if not slash:
        if "include" in path.relative_to(root).parts:
            return f'a public header includes the private "{name}"'
        return None if (path.parent / name).is_file() else f'"{name}" is not beside it'
    if layer not in LAYERS:
        return f'"{name}" names no layer'
    if layer != unit and layer not in allowed:
        return f"{unit} may not include {layer}"
    if not (root / "lib" / layer / "include" / name).is_file():
        return f'"{name}" is no public header of {layer}'
    return None


def judge_angled(root, path, unit, name):
    """Why this unit may not include <name>; None if it may."""
    if "include" in path.relative_to(root).parts and re.fullmatch(HIDDEN, name):
        return f"<{name}> shows in a public header"
    for pattern, who in EXTERNAL:
        if re.fullmatch(pattern, name):
            return None if who == "*" or unit in who.split() else f"{unit} may not include <{name}>"
    return f"<{name}> is no header that the design knows"


def check_unit(root, folder, unit, allowed):
    for path in sorted(folder.rglob("*.[ch]pp")):
        for number, quoted, angled in includes(path):
            why = (judge_quoted(root, path, unit, allowed, quoted) if quoted
                   else judge_angled(root, path, unit, angled))
            if why:
                yield f"{path.relative_to(root)}:{number}: {why}"


def check_folders(root, top, known):
    for folder in sorted((root / top).iterdir()):
        if folder.is_dir() and folder.name not in known:
            yield f"{top}/{folder.name}: the design knows no such folder"


def check_sizes(root):
    for top in SIZED:
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in SUFFIXES or not path.is_file():
                continue
            lines = len(path.read_text().splitlines())
            if lines > LONGEST_FILE:
                yield f"{path.relative_to(root)}: {lines} lines, {LONGEST_FILE} at most"


def report_sizes(root):
    for layer in LAYERS:
        lengths = [len(p.read_text().splitlines()) for p in (root / "lib" / layer).rglob("*.cpp")]
        if lengths:
            print(f"{layer:10} {len(lengths):3} sources, median {statistics.median(lengths):5.0f} "
                  f"lines, longest {max(lengths)}")


def check(root):
    """All complaints about the tree at root."""
    complaints = [*check_folders(root, "lib", LAYERS), *check_folders(root, "app", APPS)]
    for layer, allowed in LAYERS.items():
        complaints += check_unit(root, root / "lib" / layer, layer, allowed.split())
    for app, allowed in APPS.items():
        complaints += check_unit(root, root / "app" / app, app, allowed.split())
    return complaints + list(check_sizes(root))


def main():
    root = Path(sys.argv[1]).resolve()
    report_sizes(root)
    complaints = check(root)
    print(*complaints, sep="\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
