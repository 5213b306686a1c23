# SPDX-License-Identifier: BSD-3-Clause
"""What only QEMU can show: a guest that reboots while its VMM stays connected."""

from guestlab.guest import MiB
from lab import PAGE


def test_guest_reboots_inside_one_qemu(qemu_lab):
    process = qemu_lab.guest.process.pid
    qemu_lab.resize(96 * MiB)
    qemu_lab.guest.reboot()
    assert qemu_lab.guest.process.pid == process
    qemu_lab.wait_for_state("running")
    # The target outlives the reboot, and the new driver follows it from an empty balloon.
    qemu_lab.wait_for_actual(96 * MiB)
    qemu_lab.wait_for_ledger(96 * MiB)
    assert qemu_lab.guest_pages().inflated == 96 * MiB // PAGE
    checksum = qemu_lab.guest.random_file("/tmp/canary", 48 * MiB)
    qemu_lab.resize(0)
    qemu_lab.resize(128 * MiB)
    assert qemu_lab.guest.checksum("/tmp/canary") == checksum


def test_guest_reboots_in_the_middle_of_an_inflate(qemu_lab):
    qemu_lab.set_target(192 * MiB)
    qemu_lab.guest.reboot()
    qemu_lab.wait_for_state("running")
    qemu_lab.wait_for_actual(192 * MiB)
    qemu_lab.resize(0)
    qemu_lab.wait_for_ledger(0)
    assert qemu_lab.guest.random_file("/tmp/all", 192 * MiB)


def test_balloon_survives_a_pause_wherever_its_rings_stand(qemu_lab):
    """QEMU hands the base of a packed ring back as it got it, the wrap counter included."""
    assert "RING_PACKED" in qemu_lab.show()["features"]["acked"]
    checksum = qemu_lab.guest.random_file("/tmp/canary", 32 * MiB)
    # With rings of 128 descriptors and a buffer a MiB: through more than two laps.
    for size in (48, 112, 0, 96, 16, 112, 64):
        qemu_lab.resize(size * MiB)
        qemu_lab.guest.qmp("stop")
        qemu_lab.guest.qmp("cont")
        qemu_lab.wait_for_ledger(size * MiB)
    assert qemu_lab.show()["counters"]["not_ballooned"] == 0
    assert qemu_lab.guest.checksum("/tmp/canary") == checksum
