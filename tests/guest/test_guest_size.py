# SPDX-License-Identifier: BSD-3-Clause
"""A guest that has less memory than its VMM's memory table holds: a virtio-mem device of which
nothing is plugged (cloud-hypervisor #8116)."""

import time
from pathlib import Path

import pytest

from guestlab import Daemon, SmallHost
from guestlab.guest import MiB, wait_until
from lab import Lab

_GUEST = 512 * MiB
_DEVICE = 2048 * MiB
_UNPLUGGED = (
    *("-m", f"{_GUEST // MiB}M,maxmem=4G"),
    *("-object", f"memory-backend-memfd,id=more,size={_DEVICE // MiB}M,share=on"),
    *("-device", "virtio-mem-pci,id=plug,memdev=more,requested-size=0"),
)
_SECONDS = 60
# The part of its headroom that the law leaves a guest on a host that has too little for all
# (kBarePart in lib/policy/balance_law.cpp), and what a guest uses now and then beside it.
_BARE = 16 * MiB
_WAVERS = 8 * MiB

_AUTOMATIC = """
[policy]
cgroup = "{cgroup}"
interval_ms = 200

[[device]]
name = "vm1"
socket = "{socket}"
automatic = true
reporting = false
"""


@pytest.fixture(scope="module")
def unplugged_lab(folder):
    own = folder / "by-hand"
    own.mkdir()
    with Daemon(own) as daemon, Lab("qemu", daemon, mem=_GUEST, extra=_UNPLUGGED) as lab:
        lab.wait_for_state("running")
        yield lab
        lab.guest.kill()
        daemon.stop()


def test_a_guest_is_as_large_as_it_says_and_not_as_its_table(unplugged_lab):
    lab = unplugged_lab
    total = lab.stats()["total_bytes"]
    shown = lab.show()
    assert shown["table_bytes"] == _GUEST + _DEVICE
    # What it booted with, of which its kernel keeps some for itself.
    assert total <= shown["guest_bytes"] == _GUEST
    assert shown["guest_source"] == "statistics"
    assert "its VMM shows 2.50 GiB" in lab.daemon.ctl("show", lab.name).stdout
    row = lab.daemon.ctl("list").stdout.splitlines()[1]
    assert "512 MiB" in row and "GiB" not in row


def test_a_share_is_one_of_what_the_guest_has(unplugged_lab):
    lab = unplugged_lab
    done = lab.daemon.ctl("set", lab.name, "25%", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert lab.show()["actual_bytes"] == _GUEST // 4
    lab.resize(0)


@pytest.mark.skipif(bool(SmallHost.missing()), reason=SmallHost.missing())
def test_a_short_host_leaves_it_what_it_needs(folder: Path):
    """Of the guest's 400 MiB, and not of the 2 GiB that nobody plugged: what it uses and a little."""
    with SmallHost(640 * MiB, 512 * MiB, folder) as host:
        config = folder / "law.toml"
        daemon = Daemon(folder, devices=(), arguments=("--config", str(config)))
        config.write_text(_AUTOMATIC.format(cgroup=host.cgroup, socket=daemon.socket("vm1")))
        options = {"mem": _GUEST, "extra": _UNPLUGGED, "cgroup": host.room("vm1")}
        with daemon, Lab("qemu", daemon, **options) as lab:
            checksum = lab.guest.random_file("/tmp/canary", 64 * MiB)
            lab.guest.touch_memory(128 * MiB)
            neighbour = host.hold(max(0, host.free()) + 16 * MiB, "neighbour", locked=False)

            def explained():
                return lab.daemon.ctl("policy", "explain", "vm1").stdout

            wait_until(lambda: lab.show()["actual_bytes"] >= 32 * MiB, _SECONDS, "a balloon",
                       found=explained)
            ends = time.monotonic() + 10
            while time.monotonic() < ends:
                shown = lab.show()
                assert shown["target_bytes"] < _GUEST, explained()
                time.sleep(0.2)
            assert lab.guest.meminfo()["MemAvailable"] >= _BARE - _WAVERS, explained()
            assert lab.guest.checksum("/tmp/canary") == checksum
            host.release(neighbour)
            lab.guest.kill()
            daemon.stop()
