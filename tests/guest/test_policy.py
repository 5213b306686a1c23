# SPDX-License-Identifier: BSD-3-Clause
"""Automatic ballooning: a host that runs short takes memory from a real guest, and a guest that
runs short gets it back, under each law. The host is a memory cgroup that swaps; the guest runs in
it, and the daemon does not."""

import contextlib
import time
from pathlib import Path

import pytest

from guestlab import Daemon, SmallHost
from guestlab.guest import MiB, wait_until
from lab import Lab

pytestmark = pytest.mark.skipif(bool(SmallHost.missing()), reason=SmallHost.missing())

_HOST = 448 * MiB
_GUEST = 320 * MiB
_STEP = 32 * MiB  # of law pressure
_ALONE = 1  # seconds after pressure in which law pressure leaves a guest alone
_SECONDS = 60  # for a law to act: ticks are short, a machine with two cpus is busy

_CONFIG = """
[policy]
law = "{law}"
cgroup = "{cgroup}"
interval_ms = 200
guest_pressure_s = {alone}

[[device]]
name = "vm1"
socket = "{socket}"
automatic = true
reporting = false
"""


class Cycle:
    """A small host with one guest, and a neighbour that the test lets grow."""

    def __init__(self, host: SmallHost, lab: Lab):
        self.host = host
        self.lab = lab
        self._neighbours = []

    def touch_guest(self) -> None:
        """All of its memory, which is pressure in the guest: what follows is not to be ignored
        for that."""
        self.lab.guest.touch_memory()
        time.sleep(_ALONE + 0.5)

    def short_host(self) -> None:
        """Allocates until the host swaps a little: what a neighbour that grows does to it."""
        amount = max(0, self.host.free()) + 16 * MiB
        self._neighbours.append(self.host.hold(amount, "neighbour", locked=False))

    def roomy_host(self) -> None:
        while self._neighbours:
            self.host.release(self._neighbours.pop())

    def balloon(self) -> int:
        return self.lab.show()["actual_bytes"]

    def wait_for_balloon(self, condition, what: str) -> int:
        def found():
            return f"{self.balloon() // MiB} MiB\n{self.explained()}"

        wait_until(lambda: condition(self.balloon()), _SECONDS, what, found=found)
        return self.balloon()

    def explained(self) -> str:
        return self.lab.daemon.ctl("policy", "explain", "vm1").stdout


@contextlib.contextmanager
def running(law: str, folder: Path):
    swap = folder / "guest.swap"
    with open(swap, "wb") as file:
        file.truncate(256 * MiB)
    with SmallHost(_HOST, 512 * MiB, folder) as host:
        config = folder / f"{law}.toml"
        daemon = Daemon(folder, devices=(), arguments=("--config", str(config)))
        words = {"law": law, "cgroup": host.cgroup, "socket": daemon.socket("vm1"), "alone": _ALONE}
        config.write_text(_CONFIG.format(**words))
        options = {"mem": _GUEST, "cgroup": host.room("vm1"), "swap": swap}
        with daemon, Lab("uml", daemon, **options) as lab:
            yield Cycle(host, lab)
            lab.guest.kill()
            daemon.stop()
    swap.unlink()


@pytest.fixture(params=["pressure", "balance"])
def cycle(request, folder):
    with running(request.param, folder) as cycle:
        yield cycle


def test_one_full_cycle(cycle):
    guest, lab = cycle.lab.guest, cycle.lab
    checksum = guest.random_file("/tmp/canary", 24 * MiB)
    cycle.touch_guest()
    blocks = lab.blocks()

    # The host runs short: the guest's free memory goes to the neighbour.
    cycle.short_host()
    inflated = cycle.wait_for_balloon(lambda now: now >= 2 * _STEP, "a balloon")
    lab.wait_for_blocks_below(blocks - inflated // 2)
    assert guest.checksum("/tmp/canary") == checksum

    # The neighbour ends, and the guest needs more than it has now: it gets it back.
    # (Law balance gives it some as soon as the host has room, so it is measured before.)
    balloon, need = cycle.balloon(), guest.meminfo()["MemFree"] + _STEP
    cycle.roomy_host()
    guest.fill("/tmp/need", need)
    cycle.wait_for_balloon(lambda now: now <= balloon - _STEP, "a smaller balloon")
    assert guest.checksum("/tmp/canary") == checksum
    assert lab.show()["state"] == "running"


def test_a_decision_is_explained(cycle):
    cycle.touch_guest()
    cycle.short_host()
    cycle.wait_for_balloon(lambda now: now > 0, "a balloon")
    assert "vm1" in cycle.explained()
