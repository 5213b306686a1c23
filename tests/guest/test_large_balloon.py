# SPDX-License-Identifier: BSD-3-Clause
"""Linux with the driver of guest/linux, and the daemon's balloon of large pages (device 13)."""

import random

from guestlab.guest import MiB, wait_until
from huge import HUGE, free_huge_pages


def _at(lab, amount):
    """The daemon's ledger decides (DEV-20); the driver says that it has come to rest there."""
    lab.resize(amount)
    lab.wait_for_ledger(amount)
    wait_until(
        lambda: (lab.show()["driver"] or {}).get("reason") == "reached",
        20,
        "the driver's word that it is there",
        found=lambda: lab.show()["driver"],
    )


def test_balloon_goes_to_any_size_and_no_page_of_the_guest_changes(large_lab):
    checksum = large_lab.guest.random_file("/tmp/canary", 32 * MiB)
    sizes = random.Random(1)
    for _ in range(15):
        _at(large_lab, sizes.randrange(0, 60) * HUGE + sizes.randrange(0, 3) * 4096)
    _at(large_lab, 100 * MiB)
    large_lab.wait_for_blocks_below(large_lab.mem - 90 * MiB)
    assert large_lab.guest.checksum("/tmp/canary") == checksum
    _at(large_lab, 0)
    assert large_lab.counter("not_ballooned") == 0
    assert large_lab.guest.checksum("/tmp/canary") == checksum


def test_driver_serves_on_the_oldest_and_the_newest_kernel(each_large_lab):
    checksum = each_large_lab.guest.random_file("/tmp/canary", 24 * MiB)
    for amount in (64 * MiB + 4096, 16 * MiB, 0):
        _at(each_large_lab, amount)
    each_large_lab.guest.unload_balloon()
    assert each_large_lab.guest.checksum("/tmp/canary") == checksum


def test_driver_tells_what_its_guest_has(large_lab):
    before = large_lab.stats()
    _at(large_lab, 64 * MiB)
    after = large_lab.stats()
    assert before["total_bytes"] - after["total_bytes"] == 64 * MiB, (before, after)
    assert after["balloon_bytes"] == 64 * MiB
    (node,) = after["nodes"]
    assert node["node"] == 0 and node["balloon_bytes"] == 64 * MiB
    assert node["total_bytes"] == after["total_bytes"]
    assert 0 < node["free_large_bytes"] <= node["free_bytes"]


def test_driver_that_comes_and_goes_has_an_empty_balloon(large_lab):
    lab, guest = large_lab, large_lab.guest
    checksum = guest.random_file("/tmp/canary", 24 * MiB)
    for _ in range(3):
        _at(lab, 80 * MiB)
        guest.unload_balloon()
        assert guest.random_file("/tmp/more", 64 * MiB)
        guest.sh("rm /tmp/more")
        guest.load_balloon()
        lab.wait_for_state("running")
        lab.wait_for_ledger(80 * MiB)
    assert guest.checksum("/tmp/canary") == checksum
    guest.reboot()
    lab.wait_for_state("running")
    lab.wait_for_ledger(80 * MiB)


def test_daemon_that_is_killed_in_the_middle_goes_on(kept_large_lab):
    lab, guest = kept_large_lab, kept_large_lab.guest
    checksum = guest.random_file("/tmp/canary", 24 * MiB)
    for amount in (96 * MiB, 0, 64 * MiB, 16 * MiB):
        lab.set_target(amount)
        lab.daemon.replace()
        lab.wait_for_ledger(amount)
    _at(lab, 0)
    assert guest.checksum("/tmp/canary") == checksum
    assert guest.random_file("/tmp/more", 48 * MiB)
    guest.poweroff()


def test_every_page_goes_back_to_the_pool_and_comes_from_there(huge_large_lab):
    """The stock balloon strands what does not complete a huge page."""
    lab = huge_large_lab
    checksum = lab.guest.random_file("/tmp/canary", 64 * MiB)
    lab.guest.touch_memory()
    free = free_huge_pages()
    for amount in (160 * MiB, 40 * MiB, 120 * MiB):
        _at(lab, amount)
        wait_until(
            lambda: free_huge_pages() - free == amount // HUGE,
            10,
            f"{amount // HUGE} huge pages in the pool",
            found=lambda: (free_huge_pages() - free, lab.show()),
        )
        assert lab.show()["stranded_bytes"] == 0
    assert lab.guest.checksum("/tmp/canary") == checksum
    _at(lab, 0)
    assert free_huge_pages() == free, "each page has its memory before the guest has the page"
    assert lab.guest.checksum("/tmp/canary") == checksum
