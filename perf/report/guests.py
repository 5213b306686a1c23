# SPDX-License-Identifier: BSD-3-Clause
"""The Linux guests of compare-qemu, compare-kinds, compare-aged and profile-guest, and their balloons."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from guestlab import Daemon, QemuGuest
from guestlab.guest import MiB, wait_until

GiB = 1024 * MiB
GUEST_BYTES = 5 * GiB
GUEST = {"mem": GUEST_BYTES, "append": "init_on_alloc=0"}
AMOUNT = 4 * GiB
LEFT = GUEST_BYTES - AMOUNT + 64 * MiB  # what the host may still hold for the guest then
POLL_SECONDS = 0.005
TIMEOUT = 300


def polling_daemon(folder: Path) -> Daemon:
    """As in production its lcore never sleeps; it discards by itself, for two cores are few."""
    config = folder / "vballoond.toml"
    config.write_text('[poll]\nidle = "spin"\n')
    return Daemon(folder, arguments=("--config", str(config)))


class Builtin:
    """QEMU's own device; QMP speaks of what the guest keeps."""

    name = "qemu"

    def __init__(self, daemon: Daemon):
        self.daemon = daemon
        self.guest = QemuGuest(builtin_balloon=True, reporting=True, **GUEST)

    @contextlib.contextmanager
    def turn(self):
        """The other side's lcore polls all the time: it is not to take this one's processor."""
        os.kill(self.daemon.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.daemon.process.pid, signal.SIGCONT)

    def set(self, amount: int) -> None:
        self.guest.qmp("balloon", value=GUEST_BYTES - amount)

    def actual(self) -> int:
        return GUEST_BYTES - self.guest.qmp("query-balloon")["actual"]


class Vballoon:
    name = "vballoon"

    def __init__(self, daemon: Daemon, extra: tuple[str, ...] = ()):
        """@param extra  more arguments for QEMU."""
        self.daemon = daemon
        self.guest = QemuGuest(socket=daemon.socket("vm1"), extra=extra, **GUEST)
        daemon.wait_for_state("vm1", "running")

    def turn(self):
        return contextlib.nullcontext()

    def set(self, amount: int) -> None:
        self.daemon.set_target("vm1", amount)

    def actual(self) -> int:
        return self.daemon.show("vm1")["actual_bytes"]


def seconds(side, amount: int, done) -> float:
    began = time.monotonic()
    side.set(amount)
    what = f"{side.name}: a balloon of {amount // MiB} MiB"
    wait_until(lambda: side.actual() == amount and done(), TIMEOUT, what, every=POLL_SECONDS)
    return time.monotonic() - began


def touch(guest) -> None:
    """As touch_memory(), with the patience that gigabytes take under TCG."""
    size = (AMOUNT + 256 * MiB) // MiB
    guest.sh(f"dd if=/dev/zero of=/tmp/touched bs=1M count={size} 2>&1", timeout=TIMEOUT)
    guest.sh("rm /tmp/touched", timeout=TIMEOUT)


def inflate(side) -> float:
    """Until the guest says so and the host has the memory. @return  seconds"""
    return seconds(side, AMOUNT, lambda: side.guest.ram_blocks_bytes() <= LEFT)


def deflate(side) -> float:
    return seconds(side, 0, lambda: True)


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
