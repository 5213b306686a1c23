# SPDX-License-Identifier: BSD-3-Clause
"""What is measured while a variant runs: the host's swapping, the guests' processes, the course."""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from guestlab import LabError, SmallHost
from guestlab.rpc import RpcClient

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Swapped:
    """Pages between memory and swap, machine-wide: control groups of version 1 do not count them.
    Pages full of zeroes count: the kernel stores them as a bit, and they were in the way."""

    into: int
    out: int

    @staticmethod
    def now() -> "Swapped":
        count = dict(map(str.split, Path("/proc/vmstat").read_text().splitlines()))
        into, out = (
            sum(int(count.get(key, 0)) for key in keys)
            for keys in (("pswpin", "swpin_zero"), ("pswpout", "swpout_zero"))
        )
        return Swapped(into, out)

    def since(self, earlier: "Swapped") -> "Swapped":
        return Swapped(self.into - earlier.into, self.out - earlier.out)


@dataclass(frozen=True)
class Used:
    """What a guest's processes have used so far, those that have ended included."""

    user: float
    system: float
    major: int
    minor: int

    @staticmethod
    def by(processes: list[int]) -> "Used":
        counts = [_stat(pid) for pid in processes]
        minor, major, user, system = (sum(column) for column in zip(*counts))
        return Used(user / _TICKS, system / _TICKS, major, minor)


def _stat(pid: int) -> tuple[int, int, int, int]:
    """Minor and major faults, user and system time, each of its own and of its ended children."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0, 0, 0, 0  # ended since: its parent has it now
    minor, its_minor, major, its_major, user, system, its_user, its_system = map(int, words[7:15])
    return minor + its_minor, major + its_major, user + its_user, system + its_system


class Watch:
    """Samples the course of things in a thread, for the plot. Use it as a context manager."""

    def __init__(self, host: SmallHost, rpc_socket: Path, guests: dict, every: float):
        """@param guests  name to guest.
        @param every  seconds."""
        self.samples: list[dict[str, float]] = []
        self._host = host
        self._rpc = RpcClient(rpc_socket)
        self._guests = guests
        self._every = every
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        self._rpc.close()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.samples.append(self._sample())
            except (OSError, LabError):
                return  # a guest or the daemon has ended, and its own thread says so
            self._over.wait(self._every)

    def _sample(self) -> dict[str, float]:
        stat = self._host.stat()
        sample = {
            "seconds": time.monotonic() - self._began,
            "host_swap": stat["total_swap"],
            "host_used": stat["total_rss"] + stat["total_shmem"],
        }
        for name, guest in self._guests.items():
            shown = self._rpc.call("device.show", name=name)
            sample[f"{name}.memory"] = guest.ram_blocks_bytes()
            sample[f"{name}.balloon"] = shown["actual_bytes"]
            sample[f"{name}.target"] = shown["target_bytes"]
        return sample
