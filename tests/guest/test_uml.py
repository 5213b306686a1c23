# SPDX-License-Identifier: BSD-3-Clause
"""What only User Mode Linux can show: several guests quickly, and life without a backend."""

import shutil
import tempfile
from pathlib import Path

import pytest

from guestlab import Daemon
from guestlab.guest import MiB, wait_until
from lab import PAGE, Lab


@pytest.fixture
def pair():
    """Two guests on the two devices of one daemon; in development there is one poll lcore."""
    folder = Path(tempfile.mkdtemp(prefix="vbt-"))
    with Daemon(folder, devices=("vm1", "vm2")) as daemon:
        with Lab("uml", daemon, "vm1") as first, Lab("uml", daemon, "vm2") as second:
            yield first, second
        daemon.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_two_guests_at_once_on_one_poll_lcore(pair):
    lcores = {lab.show()["lcore"] for lab in pair}
    assert len(lcores) == 1
    checksums = [lab.guest.random_file("/tmp/canary", 32 * MiB) for lab in pair]
    for sizes in ((96, 32), (16, 112), (80, 80)):
        for lab, size in zip(pair, sizes):
            lab.set_target(size * MiB)
        for lab, size in zip(pair, sizes):
            lab.wait_for_actual(size * MiB)
            lab.wait_for_ledger(size * MiB)
            assert lab.guest_pages().inflated - lab.guest_pages().deflated == size * MiB // PAGE
    assert [lab.guest.checksum("/tmp/canary") for lab in pair] == checksums


def test_one_guest_goes_and_the_other_does_not_notice(pair):
    staying, leaving = pair
    for lab in pair:
        lab.resize(48 * MiB)
    leaving.set_target(96 * MiB)
    leaving.guest.kill()
    leaving.wait_for_state("waiting")
    staying.resize(96 * MiB)
    staying.resize(0)
    staying.wait_for_ledger(0)


def test_guest_survives_a_daemon_killed_in_the_middle_of_an_inflate(large_uml_lab):
    lab, daemon, target = large_uml_lab, large_uml_lab.daemon, 800 * MiB
    checksum = lab.guest.random_file("/tmp/canary", 24 * MiB)
    lab.set_target(target)
    wait_until(lambda: lab.pages().inflated > 0, 20, "the first inflated page", every=0)
    daemon.kill()
    assert lab.guest.checksum("/tmp/canary") == checksum
    assert lab.guest_pages().inflated < target // PAGE, "the kill came too late to be in the middle"
    # Its sockets are still there, and stale: the new one takes them over.
    daemon.start()
    assert daemon.show("vm1")["state"] == "waiting"
    lab.guest.fill("/tmp/more", 16 * MiB)
    assert lab.guest.checksum("/tmp/canary") == checksum
    assert lab.guest.alive()


def test_new_guest_on_the_socket_of_a_daemon_that_was_killed(uml_lab):
    uml_lab.resize(32 * MiB)
    uml_lab.daemon.kill()
    uml_lab.guest.kill()
    uml_lab.daemon.start()
    uml_lab.new_guest()
    uml_lab.resize(64 * MiB)
    uml_lab.wait_for_ledger(64 * MiB)


def test_daemon_stopped_in_order_leaves_the_guest_running(uml_lab):
    checksum = uml_lab.guest.random_file("/tmp/canary", 24 * MiB)
    uml_lab.resize(96 * MiB)
    uml_lab.daemon.stop()
    # It does new work, in memory that it did not have in use before.
    again = uml_lab.guest.random_file("/tmp/more", 48 * MiB)
    assert uml_lab.guest.checksum("/tmp/more") == again
    assert uml_lab.guest.checksum("/tmp/canary") == checksum
    assert uml_lab.guest.alive()
    # Not to be asked for: an orderly end. Linux 6.1 then removes its balloon and waits, mostly for
    # ever, for a deflate that no backend is there to answer. The guest is ended from outside.
    uml_lab.guest.kill()
    assert not uml_lab.guest.alive()


def test_guest_reboots_inside_user_mode_linux(uml_lab):
    uml_lab.resize(64 * MiB)
    uml_lab.guest.reboot()
    uml_lab.wait_for_state("running")
    uml_lab.resize(32 * MiB)
    uml_lab.wait_for_ledger(32 * MiB)


def test_driver_that_comes_and_goes_leaves_no_ring_behind(each_uml_lab):
    """User Mode Linux sends SET_VRING_ENABLE for its rings as long as its driver takes all features
    that it was offered. The memory of a ring is the guest's again once the driver is gone: what the
    device still does there ends in a panic, or in a changed file."""
    lab, guest = each_uml_lab, each_uml_lab.guest
    rounds = 20 if guest.newest else 5  # the older one takes three times as long for each
    canary = guest.random_file("/tmp/canary", 32 * MiB)
    for _ in range(rounds):
        lab.resize(100 * MiB)
        guest.unload_balloon()
        lab.wait_for_state("stopped")
        guest.sh("dd if=/dev/zero of=/tmp/full bs=1M count=300 && rm /tmp/full", timeout=60)
        lab.set_target(0)
        guest.load_balloon()
        lab.wait_for_state("running")
    lab.resize(100 * MiB)
    lab.wait_for_ledger(100 * MiB)
    assert guest.checksum("/tmp/canary") == canary
    assert not any(lab.show()["counters"][name] for name in ("bad_chains", "outside_memory"))
    assert all(queue["state"] == "running" for queue in lab.show()["queues"])
