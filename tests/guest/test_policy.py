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
interval_ms = {interval_ms}
guest_pressure_s = {alone}

[[device]]
name = "vm1"
socket = "{socket}"
automatic = true
{keys}
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

    def settled_target(self) -> int:
        """The balloon's target once the law leaves it as it is and the guest has reached it."""

        def moved():
            before = self.lab.show()["target_bytes"]
            time.sleep(1)
            now = self.lab.show()
            return not before == now["target_bytes"] == now["actual_bytes"]

        wait_until(lambda: not moved(), _SECONDS, "a balloon at rest", found=self.explained)
        return self.lab.show()["target_bytes"]

    def explained(self) -> str:
        return self.lab.daemon.ctl("policy", "explain", "vm1").stdout


@contextlib.contextmanager
def running(
    law: str, folder: Path, memory: int, kind: str, keys: str, interval_ms: int = 200, **options
):
    """@param memory  of the host.
    @param kind     of the guest; @param options  more that it takes.
    @param keys     of its device."""
    with SmallHost(memory, 512 * MiB, folder) as host:
        config = folder / f"{law}.toml"
        daemon = Daemon(folder, devices=(), arguments=("--config", str(config)))
        words = {"law": law, "cgroup": host.cgroup, "socket": daemon.socket("vm1"), "keys": keys}
        config.write_text(_CONFIG.format(alone=_ALONE, interval_ms=interval_ms, **words))
        with daemon, Lab(kind, daemon, mem=_GUEST, cgroup=host.room("vm1"), **options) as lab:
            yield Cycle(host, lab)
            lab.guest.kill()
            daemon.stop()


@pytest.fixture(params=["pressure", "balance"])
def cycle(request, folder):
    swap = folder / "guest.swap"
    with open(swap, "wb") as file:
        file.truncate(256 * MiB)
    with running(request.param, folder, _HOST, "uml", "reporting = false", swap=swap) as cycle:
        yield cycle
    swap.unlink()


@pytest.fixture
def telling_cycle(folder):
    """A guest with the driver of guest/linux, which tells of pressure by itself. The law looks at
    statistics, which show pressure as well, every 20 s only. The small host has room for QEMU's own
    memory."""
    keys = 'kind = "large"\npage_sizes = "4K,2M"\neffort = 2'
    host = _HOST + 256 * MiB
    with running("pressure", folder, host, "qemu", keys, 20_000, large="6.12") as cycle:
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


def test_guest_that_says_that_it_is_short_is_answered(telling_cycle):
    cycle, guest, lab = telling_cycle, telling_cycle.lab.guest, telling_cycle.lab
    checksum = guest.random_file("/tmp/canary", 24 * MiB)
    cycle.touch_guest()
    cycle.short_host()
    cycle.wait_for_balloon(lambda now: now >= 2 * _STEP, "a balloon")
    cycle.roomy_host()
    target = cycle.settled_target()
    told = lab.counter("pressure_messages")

    # More than the guest has. Its driver says so, and gives pages back where nothing else helps; the
    # target is the law's, which lowers it for a guest's pressure and for nothing else.
    guest.fill("/tmp/need", guest.meminfo()["MemFree"] + _STEP)
    wait_until(
        lambda: lab.show()["target_bytes"] <= target - _STEP,
        _SECONDS,
        "a lower target",
        found=cycle.explained,
    )
    cycle.wait_for_balloon(lambda now: now <= target - _STEP, "a smaller balloon")
    found = lab.show()["counters"]
    assert found["pressure_messages"] > told, f"{found}\n{cycle.explained()}"
    assert guest.checksum("/tmp/canary") == checksum
