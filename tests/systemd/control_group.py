# SPDX-License-Identifier: BSD-3-Clause
"""A control group for a systemd of the tests, and all that this systemd makes below."""

import os
import time
from pathlib import Path

_PLACES = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))  # cgroup v2


def _place() -> Path | None:
    for folder in _PLACES:
        if (folder / "cgroup.procs").exists() and (folder / "cgroup.controllers").exists():
            return folder if os.access(folder, os.W_OK) else None
    return None


def why_none() -> str:
    """@return  the reason why there can be none; empty where there can."""
    return "no cgroup v2 that one can make a group in" if _place() is None else ""


class ControlGroup:
    """@pre  why_none() is empty"""

    def __init__(self, name: str):
        self._folder = _place() / f"{name}-{os.getpid()}"

    def make(self) -> None:
        self._folder.mkdir()

    def enter(self) -> None:
        """The calling process is in the group from now on."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self, timeout: float = 10) -> None:
        """@pre  its processes have ended. The kernel needs a moment to take them out."""
        deadline = time.monotonic() + timeout
        while not self._remove_folders() and time.monotonic() < deadline:
            time.sleep(0.1)

    def _remove_folders(self) -> bool:
        for folder in [path for path, _, _ in os.walk(self._folder, topdown=False)]:
            try:
                os.rmdir(folder)
            except OSError:
                return False
        return True
