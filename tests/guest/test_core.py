# SPDX-License-Identifier: BSD-3-Clause
"""What every guest must see, whatever kernel it has and whatever runs it."""

import random

from guestlab.guest import MiB
from lab import PAGE


def test_driver_comes_up(lab):
    shown = lab.show()
    assert shown["state"] == "running"
    assert shown["actual_bytes"] == shown["ballooned_bytes"] == 0
    memory = lab.mem
    # User Mode Linux keeps the part that holds its kernel to itself.
    assert memory - 32 * MiB <= shown["guest_bytes"] <= memory + 32 * MiB


def test_inflate_and_deflate_to_several_targets(lab):
    ours, theirs = lab.pages(), lab.guest_pages()
    for target in (64, 32, 128, 96, 1, 0):
        shown = lab.resize(target * MiB)
        assert shown["actual_bytes"] == shown["target_bytes"] == target * MiB
        lab.wait_for_ledger(target * MiB)
        seen = lab.guest_pages().since(theirs)
        assert seen == lab.pages().since(ours)
        assert seen.inflated - seen.deflated == target * MiB // PAGE


def test_balloon_takes_the_memory_from_the_guest(lab):
    free = lab.free()
    lab.resize(96 * MiB)
    assert 80 * MiB <= free - lab.free() <= 112 * MiB
    lab.resize(0)
    assert lab.free() >= free - 16 * MiB


def test_host_blocks_fall_by_what_was_ballooned(lab):
    size = 128 * MiB
    blocks, discarded = lab.touch_memory(), lab.show()["discarded_bytes"]
    lab.resize(size)
    lab.wait_for_blocks_below(blocks - size * 95 // 100)
    # A page is discarded once at most per inflation.
    assert size * 95 // 100 <= lab.show()["discarded_bytes"] - discarded <= size


def test_guest_has_its_memory_back_after_a_deflate(lab):
    amount = lab.guest.touch_memory()
    lab.resize(128 * MiB)
    lab.resize(0)
    lab.wait_for_reports()
    checksum = lab.guest.random_file("/tmp/again", 64 * MiB)
    lab.guest.fill("/tmp/rest", amount - 80 * MiB)
    assert lab.guest.checksum("/tmp/again") == checksum
    assert lab.blocks() >= amount - 16 * MiB


def test_neighbouring_pages_go_back_together(lab):
    lab.guest.touch_memory()
    pages, calls = lab.pages(), lab.counter("discard_calls")
    lab.resize(128 * MiB)
    lab.wait_for_ledger(128 * MiB)
    inflated = lab.pages().since(pages).inflated
    made = lab.counter("discard_calls") - calls
    assert inflated == 128 * MiB // PAGE
    assert 0 < made <= inflated // 16


def test_single_pages_of_a_fragmented_guest_go_back_as_well(lab):
    lab.guest.fragment_memory(48 * MiB)
    free = lab.guest.meminfo()["MemFree"]
    size = (free - 24 * MiB) // MiB * MiB  # more than the large holes hold: single pages have to go
    blocks = lab.blocks()
    lab.resize(size)
    lab.wait_for_ledger(size)
    assert lab.guest.sh("tr -d 'x ' < /tmp/kept | wc -c").strip() == "0"
    lab.wait_for_blocks_below(blocks - 40 * MiB)


def test_statistics_agree_with_meminfo(lab):
    lab.resize(32 * MiB)
    lab.free()
    stats, meminfo = lab.stats(), lab.guest.meminfo()
    assert stats["total_bytes"] == meminfo["MemTotal"]
    assert abs(stats["free_bytes"] - meminfo["MemFree"]) <= 8 * MiB
    assert abs(stats["available_bytes"] - meminfo["MemAvailable"]) <= 8 * MiB
    assert stats["minor_faults"] > 0


def test_statistics_are_fresh_each_time(lab):
    lab.free()
    before = lab.stats()["free_bytes"]
    lab.guest.fill("/tmp/big", 64 * MiB)
    lab.free()
    assert 56 * MiB <= before - lab.stats()["free_bytes"] <= 80 * MiB


# Linux reports every two seconds, and only whole blocks: 2 MiB in the QEMU guest, 4 MiB in User
# Mode Linux, of which some stay in use. Half of what was freed is certain.


def test_reporting_returns_free_memory_without_a_target(lab):
    lab.guest.fill("/tmp/big", 128 * MiB)
    blocks, reported, pages = lab.blocks(), lab.show()["reported_bytes"], lab.pages()
    lab.guest.sh("rm /tmp/big")
    lab.wait_for_blocks_below(blocks - 64 * MiB, timeout=40)
    lab.wait_for_reported(reported + 64 * MiB)
    assert lab.pages() == pages


def test_reported_memory_can_be_used_again(lab):
    reported = lab.show()["reported_bytes"]
    lab.guest.fill("/tmp/big", 128 * MiB)
    lab.guest.sh("rm /tmp/big")
    lab.wait_for_reported(reported + 64 * MiB)
    checksum = lab.guest.random_file("/tmp/again", 96 * MiB)
    lab.resize(48 * MiB)
    assert lab.guest.checksum("/tmp/again") == checksum


def test_file_keeps_its_checksum_through_fifty_retargets(lab):
    chance = random.Random(lab.kind)  # the same sequence every time
    checksum = lab.guest.random_file("/tmp/canary", 48 * MiB)
    for step in range(1, 51):
        target = chance.randrange(0, 112 * MiB, PAGE)
        lab.set_target(target)
        if step % 5 == 0:  # the other times the next target comes in the middle of the way
            lab.wait_for_actual(target)
        if step % 10 == 0:
            assert lab.guest.checksum("/tmp/canary") == checksum, f"after {step} retargets"
    assert lab.pages().inflated - lab.pages().deflated == lab.show()["ballooned_bytes"] // PAGE


def test_driver_unloaded_with_a_full_balloon_and_loaded_again(lab):
    lab.resize(64 * MiB)
    lab.set_target(0)
    lab.guest.unload_balloon()
    lab.wait_for_state("stopped")
    lab.wait_for_ledger(0)
    assert lab.guest.random_file("/tmp/all", 96 * MiB)
    lab.guest.load_balloon()
    lab.wait_for_state("running")
    lab.resize(32 * MiB)
    lab.wait_for_ledger(32 * MiB)


def test_guest_killed_and_a_new_one_on_the_same_socket(lab):
    lab.resize(64 * MiB)
    lab.guest.process.kill()
    shown = lab.wait_for_state("waiting")
    assert shown["ballooned_bytes"] == 0
    lab.new_guest()
    lab.resize(32 * MiB)
    lab.wait_for_ledger(32 * MiB)


def test_guest_powers_off_and_a_new_one_boots_on_the_same_socket(lab):
    lab.resize(64 * MiB)
    lab.guest.poweroff()
    lab.wait_for_state("waiting")
    lab.new_guest()
    lab.resize(0)
    lab.resize(48 * MiB)
    assert lab.guest_pages().inflated - lab.guest_pages().deflated == 48 * MiB // PAGE


def test_rings_are_packed_where_that_is_offered(lab):
    features = lab.show()["features"]
    packed = lab.kind == "uml"
    assert ("RING_PACKED" in features["offered"]) == packed
    assert ("RING_PACKED" in features["acked"]) == packed
    lab.resize(64 * MiB)
    assert {queue["state"] for queue in lab.show()["queues"]} <= {"running", "stopped"}
