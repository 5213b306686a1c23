# SPDX-License-Identifier: BSD-3-Clause
"""Finds a kernel module and what it depends on in a modules folder.

Reads the dependencies out of the modules themselves: a folder unpacked from a Debian
package has no modules.dep, since depmod runs only when the package is installed.
"""

import lzma
import re
from pathlib import Path

from .errors import LabError

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def closure(folder: Path, name: str) -> list[tuple[str, bytes]]:
    """@return  (name, contents) of the module and its dependencies, in the order to load them."""
    known = {_module_name(path): path for path in sorted(folder.rglob("*.ko*"))}
    loaded: dict[str, bytes] = {}
    _load(folder, known, name, loaded)
    return list(loaded.items())


def _load(folder: Path, known: dict[str, Path], name: str, loaded: dict[str, bytes]) -> None:
    if name in loaded:
        return
    if name not in known:
        raise LabError(f"no kernel module {name} in {folder}: is the guest kernel's package whole?")
    data = _read(known[name])
    for needed in _depends(data):
        _load(folder, known, needed, loaded)
    loaded[name] = data


def _depends(data: bytes) -> list[str]:
    found = _DEPENDS.search(data)
    return (
        [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []
    )


def _module_name(path: Path) -> str:
    return path.name.split(".ko")[0].replace("-", "_")


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".ko":
        return data
    raise LabError(
        f"{path}: kernel module compressed in a way the lab does not know; use .ko or .ko.xz"
    )
