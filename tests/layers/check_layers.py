#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# tests/layers/check_layers.py - who may include whom, held against the #include lines.
# Source: lib/layers.toml, and section 2 of the design. Prints every line that breaks it; exit status
#         1 if there is one. Does not prove that a layer names nothing of a layer it reaches through
#         another's header.
"""check_layers.py ROOT: layer edges, external headers and file sizes of the source tree at ROOT."""

import importlib.machinery
import importlib.util
import re
import statistics
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools/layers"


def tool():
    """tools/layers as a module: it reads the list."""
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("layers", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("layers", loader))
    loader.exec_module(module)
    return module


# Programs. The guest's side never gets into the daemon, nor the daemon into its client.
APPS = {
    "vballoond": "base lcore service",
    "vballoon-keeper": "base keep",
    "vballoonctl": "base rpc vm",
    "vballoon-driver": "base wire driver",
    "vballoon-exporter": "base rpc",
}
# Headers from outside, by who may include them. The first pattern that matches decides.
EXTERNAL = [
    (r"rte_vhost\w*\.h", "vhost"),
    (r"rte_(ring|mempool|errno)\.h", "reclaim lcore vhost service"),
    (r"rte_\w+\.h", "lcore vhost service"),
    (r"hwloc.*", "lcore"),
    (r"asio([./].*)?", "base policy service"),
    (r"nlohmann/.*", "rpc policy service vballoonctl vballoon-driver"),
    (r"toml\+\+/.*", "service"),
    (r"CLI/.*", "vballoond vballoon-keeper vballoonctl vballoon-driver vballoon-exporter"),
    (r"microhttpd\.h", "vballoon-exporter"),
    (r"spdlog/.*", "base service"),
    (r"seccomp\.h", "service"),
    (r"linux/virtio_\w+\.h", "wire"),
    (r"(fmt|tl)/.*", "*"),
    (r"[a-z_0-9]+", "*"),  # the C++ standard library
    (r"(sys|linux|net|netinet|arpa|asm)/\w+\.h", "*"),
    (r"(fcntl|fnmatch|grp|netdb|poll|pthread|pwd|sched|signal|spawn|termios|time|unistd)\.h", "*"),
]
# Of these nothing may show in a public header: who includes a layer need not have what it uses.
HIDDEN = r"rte_\w+\.h|hwloc.*|toml\+\+/.*|seccomp\.h"

LONGEST_FILE = 400
WIDEST = 100
SIZED = ("lib", "app", "tests", "perf", "tools")
SUFFIXES = {".cpp", ".hpp", ".py"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def includes(path):
    """Yields (line number, quoted name or None, angled name or None)."""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1), found.group(2)


def judge_quoted(root, layers, unit, public, name):
    """Why this unit may not include "name"; None if it may."""
    layer, slash, rest = name.partition("/")
    if not slash:
        return None if (root / "app" / unit / name).is_file() else f'"{name}" names no layer'
    if layer not in layers:
        return f'"{name}" names no layer'
    if not (root / "lib" / name).is_file():
        return f'"{name}" is not there'
    if layer != unit and layer not in allowed_of(layers, unit):
        return f"{unit} may not include {layer}"
    is_public = rest in layers[layer]["public"]
    if public and not is_public:
        return f'a public header includes "{name}", which is not public'
    if layer != unit and not is_public:
        return f'"{name}" is no public header of {layer}'
    return None


def judge_angled(public, unit, name):
    """Why this unit may not include <name>; None if it may."""
    if public and re.fullmatch(HIDDEN, name):
        return f"<{name}> shows in a public header"
    for pattern, who in EXTERNAL:
        if re.fullmatch(pattern, name):
            return None if who == "*" or unit in who.split() else f"{unit} may not include <{name}>"
    return f"<{name}> is no header that the design knows"


def allowed_of(layers, unit):
    return layers[unit]["includes"] if unit in layers else APPS[unit].split()


def check_unit(root, layers, folder, unit):
    for path in sorted(folder.rglob("*.[ch]pp")):
        public = unit in layers and path.relative_to(folder).as_posix() in layers[unit]["public"]
        for number, quoted, angled in includes(path):
            why = (judge_quoted(root, layers, unit, public, quoted) if quoted
                   else judge_angled(public, unit, angled))
            if why:
                yield f"{path.relative_to(root)}:{number}: {why}"


def check_own_header(root):
    """A source compiles the header of its name alone by including it first."""
    for path in sorted((root / "lib").rglob("*.cpp")):
        own = path.with_suffix(".hpp")
        first = next(includes(path), (1, None, None))
        if own.is_file() and first[1] != own.relative_to(root / "lib").as_posix():
            yield f"{path.relative_to(root)}:{first[0]}: does not include the header of its name first"


def check_public(root, layers):
    for name, layer in layers.items():
        for header in layer["public"]:
            if not (root / "lib" / name / header).is_file():
                yield f"lib/layers.toml: {name} lists {header}, which is not there"


def check_picture(root, layers):
    """docs/architecture.md shows the layers as they are listed."""
    path = root / "docs/architecture.md"
    if path.is_file() and "\n".join(tool().tree(layers)) not in path.read_text():
        yield f"{path.relative_to(root)}: does not show what `tools/layers tree` prints"


def check_folders(root, top, known):
    for folder in sorted((root / top).iterdir()):
        if folder.is_dir() and folder.name not in known:
            yield f"{top}/{folder.name}: the design knows no such folder"


def check_width(root):
    """clang-format leaves comments alone."""
    for top in SIZED:
        for path in sorted((root / top).rglob("*.[ch]pp")):
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                if len(line) > WIDEST:
                    yield f"{path.relative_to(root)}:{number}: {len(line)} columns, {WIDEST} at most"


def check_sizes(root):
    for top in SIZED:
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in SUFFIXES or not path.is_file():
                continue
            lines = len(path.read_text().splitlines())
            if lines > LONGEST_FILE:
                yield f"{path.relative_to(root)}: {lines} lines, {LONGEST_FILE} at most"


def report_sizes(root, layers):
    for layer in layers:
        lengths = [len(p.read_text().splitlines()) for p in (root / "lib" / layer).rglob("*.cpp")]
        if lengths:
            print(f"{layer:10} {len(lengths):3} sources, median {statistics.median(lengths):5.0f} "
                  f"lines, longest {max(lengths)}")


def check(root, layers):
    """All complaints about the tree at root."""
    complaints = [*check_folders(root, "lib", layers), *check_folders(root, "app", APPS),
                  *check_public(root, layers), *check_picture(root, layers),
                  *check_own_header(root)]
    for layer in layers:
        complaints += check_unit(root, layers, root / "lib" / layer, layer)
    for app in APPS:
        complaints += check_unit(root, layers, root / "app" / app, app)
    return [*complaints, *check_sizes(root), *check_width(root)]


def main():
    root = Path(sys.argv[1]).resolve()
    try:
        layers = tool().load(root)
    except (OSError, ValueError) as error:
        print(error)
        return 1
    report_sizes(root, layers)
    complaints = check(root, layers)
    print(*complaints, sep="\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
