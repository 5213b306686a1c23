# SPDX-License-Identifier: BSD-3-Clause
"""A guest whose pages are larger than the balloon's: arm64 with 16 KiB. Linux rounds a target up to
a page of its own, and is then above it."""

import time
from pathlib import Path

import pytest

from guestlab import Daemon, SmallHost
from guestlab.guest import MiB, wait_until
from lab import PAGE, Lab

_PAGE = 16 << 10
_NEAR = 64 << 10  # nobody's pages are larger
_GUEST = 1024 * MiB
_HOST = 1100 * MiB  # what QEMU takes for itself included
_SECONDS = 90  # of a cycle: the guest is translated, and the machine is busy

_AUTOMATIC = """
[policy]
cgroup = "{cgroup}"
interval_ms = 500

[[device]]
name = "vm1"
socket = "{socket}"
automatic = true
reporting = false
"""


def test_a_target_between_two_pages_is_reached(arm64_lab):
    lab = arm64_lab
    assert int(lab.guest.sh("getconf PAGESIZE || echo 16384").split()[-1]) == _PAGE
    checksum = lab.guest.random_file("/tmp/canary", 32 * MiB)
    for target in (96 * MiB + PAGE, 64 * MiB + 3 * PAGE, 128 * MiB + PAGE):
        done = lab.daemon.ctl("set", lab.name, f"{target // 1024}K", "--wait")
        assert done.returncode == 0, done.stdout + done.stderr
        shown = lab.wait_for_actual((target + _PAGE - 1) // _PAGE * _PAGE)
        assert 0 < shown["actual_bytes"] - shown["target_bytes"] < _NEAR
        lab.wait_for_ledger(shown["actual_bytes"])
    assert lab.guest.checksum("/tmp/canary") == checksum
    lab.resize(0)
    assert lab.show()["counters"]["not_ballooned"] == 0


class Watched:
    """The law's decisions over a guest, looked at all the while."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.targets: list[int] = []

    def look(self) -> int:
        """@return  what is in the balloon. Fails where the law has given its driver up."""
        told = self.lab.daemon.rpc("policy.explain", name="vm1")
        shown = self.lab.show()
        assert told["rule"] != "stalled", (told, shown)
        if shown["target_bytes"] not in self.targets[-1:]:
            self.targets.append(shown["target_bytes"])
        return shown["actual_bytes"]

    def wait_until(self, condition, what: str) -> None:
        wait_until(lambda: condition(self.look()), _SECONDS, what, found=self.lab.show)


@pytest.mark.skipif(bool(SmallHost.missing()), reason=SmallHost.missing())
def test_a_guest_that_follows_the_law_is_never_stalled(folder: Path):
    with SmallHost(_HOST, 512 * MiB, folder) as host:
        config = folder / "law.toml"
        daemon = Daemon(folder, devices=(), arguments=("--config", str(config)))
        config.write_text(_AUTOMATIC.format(cgroup=host.cgroup, socket=daemon.socket("vm1")))
        with daemon, Lab("arm64", daemon, mem=_GUEST, cgroup=host.room("vm1")) as lab:
            watched = Watched(lab)
            # It touches most of its memory, which the host cannot give: it has to give some back.
            lab.guest.fill("/tmp/touched", 700 * MiB)
            lab.guest.sh("rm /tmp/touched")
            watched.wait_until(lambda balloon: balloon >= 128 * MiB, "a balloon")
            # It stays where it is for longer than a driver is waited for.
            ends = time.monotonic() + 8
            while time.monotonic() < ends:
                watched.look()
                time.sleep(0.2)
            # And the other way. (A guest that needs its memory back at once would be squeezed first:
            # its own OOM killer is then as near as the law's next turn.)
            held = lab.show()["actual_bytes"]
            host.resize(2 * _HOST)
            watched.wait_until(lambda balloon: balloon <= held - 32 * MiB, "a smaller balloon")
            assert len(watched.targets) >= 2, watched.targets
            assert all(target % _NEAR == 0 for target in watched.targets), watched.targets
            lab.guest.kill()
            daemon.stop()
