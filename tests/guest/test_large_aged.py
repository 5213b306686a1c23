# SPDX-License-Identifier: BSD-3-Clause
"""Guests that have run for long, on huge pages: their balloon of large pages reaches its size all the
same, and the host's pool gets all of it. The stock balloon strands much of what it takes there."""

import pytest
from guestlab.guest import MiB, wait_until
from huge import HUGE

_LEFT = 96 * MiB  # available to the guest
_ENOUGH = 0.95

# What age does to a guest of 768 MiB.
_STATES = {
    "checker": "age checker 440",
    "mix": "age mix 320",
    "slab": "age slab 64",
    "cache": "age cache 440 /dev/nvme0n1",
}


@pytest.fixture(params=_STATES)
def aged_lab(request, aging_lab):
    """The guest in that state; afterwards it is as it was."""
    lab = aging_lab
    lab.guest.sh(_STATES[request.param], timeout=240)
    yield lab
    lab.guest.sh("killall age; rm -rf /tmp/age; echo 3 > /proc/sys/vm/drop_caches", timeout=60)
    lab.resize(0)


def _rest(lab) -> dict:
    """Waits until the driver has come to rest. @return  what show() says then"""
    wait_until(
        lambda: (lab.show()["driver"] or {}).get("newest_target")
        and lab.show()["driver"]["reason"] in ("reached", "exhausted"),
        240,
        "the driver's word that it has done what it can",
        found=lambda: (lab.show(), lab.guest.sh("cat /proc/buddyinfo")),
    )
    return lab.show()


def test_guest_gives_what_it_can_spare_in_whole_huge_pages(aged_lab):
    lab = aged_lab
    checksum = lab.guest.random_file("/tmp/canary", 16 * MiB)
    wish = (lab.guest.meminfo()["MemAvailable"] - _LEFT) // HUGE * HUGE
    assert wish > 128 * MiB
    lab.set_target(wish)
    given = _rest(lab)["ballooned_bytes"]
    assert given >= _ENOUGH * wish, (given // MiB, wish // MiB)
    assert lab.show()["stranded_bytes"] == 0
    lab.wait_for_blocks_below(lab.mem - given)
    assert lab.guest.checksum("/tmp/canary") == checksum
    lab.resize(0)
    assert lab.guest.checksum("/tmp/canary") == checksum
    lab.guest.sh("rm /tmp/canary")
