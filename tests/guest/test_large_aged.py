# SPDX-License-Identifier: BSD-3-Clause
"""Guests that have run for long, on huge pages: their balloon of large pages reaches its size all the
same, and the host's pool gets all of it. The stock balloon strands much of what it takes there."""

import pytest
from guestlab.aged import LEFT, STATES, aged
from guestlab.guest import MiB, wait_until
from huge import HUGE

_ENOUGH = 0.95


@pytest.fixture(params=STATES)
def aged_lab(request, aging_lab):
    with aged(aging_lab.guest, request.param):
        yield aging_lab
    aging_lab.resize(0)


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
    wish = (lab.guest.meminfo()["MemAvailable"] - LEFT) // HUGE * HUGE
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
