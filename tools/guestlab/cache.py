# SPDX-License-Identifier: BSD-3-Clause
"""Where things are kept that take long to fetch or to build.

Outside of the build folder on purpose: a fresh clone, or a deleted build, must not
download QEMU again. tools/prepare-qemu follows the same rule.
"""

import os
import subprocess
import sys
from pathlib import Path

from .errors import LabError


def cache_dir() -> Path:
    """@return  the kept folder, created: $VBALLOON_CACHE, else $XDG_CACHE_HOME/vballoon."""
    chosen = os.environ.get("VBALLOON_CACHE")
    if not chosen:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        chosen = os.path.join(base, "vballoon")
    path = Path(chosen).absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def prepare(what: str, program: Path, *arguments: str) -> None:
    """Runs a program of tools/ that fetches or builds. Its standard output goes to standard error:
    that of the caller may be read by a program. @param what  it provides. @errors  LabError"""
    environment = {**os.environ, "VBALLOON_CACHE": str(cache_dir())}
    if subprocess.run([program, *arguments], env=environment, stdout=sys.stderr).returncode:
        raise LabError(f"no {what}: {program} failed, see what it said above")


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that nobody ever sees half of it, two writers at once included."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(data)
    os.replace(part, path)
