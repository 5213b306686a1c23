# SPDX-License-Identifier: BSD-3-Clause
"""Takes a SmallHost down again, once its maker closes our standard input - or has died.

usage: tidy_host.py CGROUP FOLDER      with its swap file, and its disk if it has one

A process of its own, in a session of its own: neither Ctrl-C nor SIGKILL of the maker may leave
a swap file in use. What is still in the group is killed: it was started for it.
Exit status: 0 nothing is left, 1 something is (said on standard error).
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from guestlab import slow_disk  # noqa: E402
from guestlab.errors import LabError  # noqa: E402

_TIMEOUT = 60


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    cgroup, folder = Path(sys.argv[1]), Path(sys.argv[2])
    sys.stdin.buffer.read()
    return 0 if all([_empty(cgroup), _remove(cgroup), _clear(folder)]) else 1


def _empty(cgroup: Path) -> bool:
    deadline = time.monotonic() + _TIMEOUT
    while pids := _processes(cgroup):
        if time.monotonic() > deadline:
            return _say(f"{cgroup}: {len(pids)} processes survive SIGKILL")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # ended since
        time.sleep(0.05)
    return True


def _processes(cgroup: Path) -> list[int]:
    return [
        int(word) for path in cgroup.rglob("cgroup.procs") for word in path.read_text().split()
    ]


def _remove(cgroup: Path) -> bool:
    """Children before parents. A group is busy for a moment after its last process has ended."""
    groups = [path for path in cgroup.rglob("*") if path.is_dir()] if cgroup.exists() else []
    return all(_remove_one(group) for group in (*reversed(groups), cgroup))


def _remove_one(group: Path) -> bool:
    deadline = time.monotonic() + _TIMEOUT
    while group.exists():
        try:
            group.rmdir()
        except OSError as error:
            if time.monotonic() > deadline:
                return _say(f"{group}: {error.strerror}")
            time.sleep(0.05)
    return True


def _clear(folder: Path) -> bool:
    try:
        for line in Path("/proc/swaps").read_text().splitlines()[1:]:
            if (swap := Path(line.split()[0])).is_relative_to(folder):
                slow_disk.run("swapoff", swap)
        slow_disk.remove(folder)
    except LabError as error:
        return _say(str(error))
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _say(what: str) -> bool:
    print(f"tidy_host: {what}", file=sys.stderr)
    return False


sys.exit(main())
