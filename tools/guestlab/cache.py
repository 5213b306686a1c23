# SPDX-License-Identifier: BSD-3-Clause
"""Where things are kept that take long to fetch or to build.

Outside of the build folder on purpose: a fresh clone, or a deleted build, must not
download QEMU again. tools/prepare-qemu follows the same rule.
"""

import os
from pathlib import Path


def cache_dir() -> Path:
    """@return  the kept folder, created: $VBALLOON_CACHE, else $XDG_CACHE_HOME/vballoon."""
    chosen = os.environ.get("VBALLOON_CACHE")
    if not chosen:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        chosen = os.path.join(base, "vballoon")
    path = Path(chosen).absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that nobody ever sees half of it, two writers at once included."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(data)
    os.replace(part, path)
