# SPDX-License-Identifier: BSD-3-Clause
"""The daemon is killed under VMMs that cannot reconnect, and neither they nor their guests notice."""

from guestlab.guest import MiB, wait_until
from lab import PAGE


def test_guest_reboots_and_powers_off_after_kills(kept_lab):
    checksum = kept_lab.guest.random_file("/tmp/canary", 24 * MiB)
    kept_lab.resize(64 * MiB)
    kept_lab.daemon.replace()
    kept_lab.wait_for_ledger(64 * MiB)
    kept_lab.resize(32 * MiB)
    kept_lab.daemon.replace()
    kept_lab.resize(96 * MiB)
    kept_lab.wait_for_ledger(96 * MiB)
    assert kept_lab.guest_pages().inflated - kept_lab.guest_pages().deflated == 96 * MiB // PAGE
    assert kept_lab.stats()["total_bytes"] > 0
    assert kept_lab.guest.checksum("/tmp/canary") == checksum
    kept_lab.guest.reboot()
    kept_lab.wait_for_state("running")
    kept_lab.wait_for_actual(96 * MiB)
    kept_lab.wait_for_ledger(96 * MiB)
    kept_lab.daemon.replace()
    kept_lab.resize(32 * MiB)
    kept_lab.guest.poweroff()


def test_kill_in_the_middle_of_an_inflate(kept_lab):
    target = 96 * MiB
    checksum = kept_lab.guest.random_file("/tmp/canary", 24 * MiB)
    for _ in range(5):
        before = kept_lab.pages().inflated
        kept_lab.set_target(target)
        wait_until(lambda: kept_lab.pages().inflated > before, 20, "an inflated page", every=0)
        kept_lab.daemon.replace()
        kept_lab.wait_for_actual(target)
        kept_lab.wait_for_ledger(target)
        kept_lab.resize(0)
        kept_lab.wait_for_ledger(0)
    assert kept_lab.guest.checksum("/tmp/canary") == checksum
    assert kept_lab.guest.random_file("/tmp/more", 48 * MiB)
    kept_lab.guest.poweroff()


def test_driver_that_was_unloaded_before_the_kill_comes_back(kept_lab):
    kept_lab.resize(32 * MiB)
    kept_lab.guest.unload_balloon()
    kept_lab.daemon.replace()
    kept_lab.guest.load_balloon()
    kept_lab.wait_for_state("running")
    kept_lab.wait_for_actual(32 * MiB)
    kept_lab.wait_for_ledger(32 * MiB)
