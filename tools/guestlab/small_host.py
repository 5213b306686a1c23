# SPDX-License-Identifier: BSD-3-Clause
"""A host smaller than this one: a memory cgroup with a limit, and swap on a file. Takes root.

Version 1 of control groups, where this machine has its memory controller; each inhabitant has a
group of its own below, so that the kernel counts for each and for all.
"""

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import slow_disk
from .errors import LabError
from .guest import MiB
from .slow_disk import Pace

_CONTROLLER = Path("/sys/fs/cgroup/memory")
_HERE = Path(__file__).parent
_LOCK = "/run/lock/vballoon-small-host"


class SmallHost:
    """Use it as a context manager. One at a time on a machine: swap is counted machine-wide."""

    def __init__(
        self, limit: int, swap: int, folder: Path, pace: Pace | None = None, room: int = 0
    ):
        """@param limit   bytes of memory for all inhabitants together.
        @param swap    bytes of the swap file.
        @param folder  where that is, on a disk; it is gone at the end, whatever happens.
        @param pace    of a disk for the swap file that is not to be faster; None: as it comes.
        @param room    bytes that inhabitants may have on the same disk, in self.disk."""
        self.limit = limit
        self._swap = swap
        self._pace = pace
        self._room = room
        self._folder = folder
        self._tidier: subprocess.Popen | None = None
        self._holders: list[subprocess.Popen] = []

    @staticmethod
    def missing() -> str:
        """@return  why this machine cannot have one; empty when it can."""
        if not (_CONTROLLER / "memory.limit_in_bytes").exists():
            return f"no memory controller of control groups version 1 at {_CONTROLLER}"
        return "a control group and a swap file take root" if os.geteuid() else ""

    def __enter__(self):
        if why := self.missing():
            raise LabError(why)
        self._lock = open(_LOCK, "a")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        own = Path(tempfile.mkdtemp(prefix="small-host-", dir=self._folder)).resolve()
        self._own, self.disk = own, own
        self.cgroup = _CONTROLLER / f"vballoon-{os.getpid()}-{own.name[-8:]}"
        self._start_tidier()
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for holder in self._holders:
            holder.kill()
            holder.wait()
        self._tidier.stdin.close()
        status = self._tidier.wait()
        self._lock.close()
        if status:
            raise LabError(f"not all of {self.cgroup} and {self._own} could be removed")

    def resize(self, limit: int) -> None:
        self.limit = limit
        (self.cgroup / "memory.limit_in_bytes").write_text(str(limit))

    def room(self, name: str) -> Path:
        """A group below for one inhabitant. @return  its folder"""
        path = self.cgroup / name
        path.mkdir(exist_ok=True)
        return path

    def hold(self, amount: int, name: str, locked: bool) -> "subprocess.Popen":
        """A process in room(name) that holds so many bytes until release().
        @param locked  they stay in memory; else they can be swapped out."""
        return self._hold(amount, name, "locked" if locked else "swappable")

    def cache(self, amount: int, name: str) -> "subprocess.Popen":
        """The same with so many bytes of page cache, of a file that it maps. The kernel takes
        that before it swaps."""
        path = self._own / "cached"
        with open(path, "wb") as file:
            for _ in range(amount // MiB):
                file.write(os.urandom(MiB))
            os.fsync(file.fileno())
            # Else it stays on the account of whoever has written it.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return self._hold(amount // MiB * MiB, name, str(path))

    def release(self, holder: "subprocess.Popen") -> None:
        self._holders.remove(holder)
        holder.communicate()

    def clear_rooms(self) -> None:
        """Removes the groups of inhabitants that have ended, and with them their counts."""
        for path in [path for path in self.cgroup.iterdir() if path.is_dir()]:
            path.rmdir()

    # Figures

    def stat(self, name: str = "") -> dict[str, int]:
        """memory.stat of room(name), or of all; total_... include the groups below."""
        text = (self.cgroup / name / "memory.stat").read_text()
        return {key: int(value) for key, value in map(str.split, text.splitlines())}

    def usage(self) -> int:
        """Bytes charged, page cache included."""
        return int((self.cgroup / "memory.usage_in_bytes").read_text())

    def free(self) -> int:
        """Bytes that could be had without swapping."""
        return self.limit - self.usage() + self.page_cache()

    def page_cache(self) -> int:
        """Bytes of it; shared memory, which has to be swapped out, is none."""
        stat = self.stat()
        return stat["total_cache"] - stat["total_shmem"]

    def processes(self, name: str) -> list[int]:
        return [int(pid) for pid in (self.cgroup / name / "cgroup.procs").read_text().split()]

    # Private

    def _hold(self, amount: int, name: str, what: str) -> "subprocess.Popen":
        enter = ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', self.room(name) / "cgroup.procs"]
        command = [*enter, sys.executable, "-IS", _HERE / "hold_memory.py", str(amount), what]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        holder = subprocess.Popen(command, **pipes, start_new_session=True)  # Ctrl-C is ours
        self._holders.append(holder)
        if holder.stdout.readline() != b"held\n":
            raise LabError(f"could not hold {amount} bytes in {self.cgroup}")
        return holder

    def _start_tidier(self) -> None:
        command = [sys.executable, "-IBS", _HERE / "tidy_host.py", self.cgroup, self._own]
        self._tidier = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def _make(self) -> None:
        self.cgroup.mkdir()
        (self.cgroup / "memory.use_hierarchy").write_text("1")
        self.resize(self.limit)
        if self._pace:
            # Some of it is the file system's own.
            size = (self._swap + self._room) * 9 // 8 + 64 * MiB
            self.disk = slow_disk.make(self._own, size, self._pace)
        self.swap_file = self.disk / "swap"
        self.swap_file.touch(0o600)
        slow_disk.run("fallocate", "-l", self._swap, self.swap_file)
        slow_disk.run("mkswap", self.swap_file)
        # Before any other swap that the machine may have.
        slow_disk.run("swapon", "-p", "32767", self.swap_file)
