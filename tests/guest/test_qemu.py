# SPDX-License-Identifier: BSD-3-Clause
"""What only QEMU can show: a guest that reboots while its VMM stays connected, and features that
User Mode Linux has not or must not have."""

import pytest

from guestlab.guest import MiB, wait_until
from huge import HUGE, free_huge_pages
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


def test_reset_button_in_the_middle_of_an_inflate(qemu_lab):
    for _ in range(2):
        qemu_lab.set_target(192 * MiB)
        qemu_lab.guest.hard_reset()
        qemu_lab.wait_for_state("running")
        qemu_lab.wait_for_actual(192 * MiB)
        qemu_lab.wait_for_ledger(192 * MiB)
        qemu_lab.resize(0)
    assert qemu_lab.guest.random_file("/tmp/all", 192 * MiB)


@pytest.mark.parametrize("when", ["with a balloon", "in the middle of an inflate"])
def test_another_kernel_starts_in_the_guest_by_kexec(kexec_qemu_lab, when):
    """No reset of the machine between them: the new kernel's driver resets the device. All memory
    is the new kernel's, whatever the old one had in the balloon."""
    lab = kexec_qemu_lab
    lab.resize(96 * MiB)
    if when != "with a balloon":
        lab.set_target(224 * MiB)
    lab.guest.kexec("LAB_SECOND=1")
    assert "LAB_SECOND=1" in lab.guest.sh("cat /proc/cmdline")
    lab.wait_for_state("running")
    # The target outlives the old kernel, and the new driver follows it from an empty balloon.
    target = lab.show()["target_bytes"]
    lab.wait_for_actual(target)
    lab.wait_for_ledger(target)
    lab.resize(0)
    lab.wait_for_ledger(0)
    assert lab.guest.random_file("/tmp/all", 192 * MiB)
    assert lab.show()["counters"]["not_ballooned"] == 0


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


def test_linux_hints_its_free_pages_and_gets_them_back(qemu_lab):
    guest = qemu_lab.guest
    checksum = guest.random_file("/tmp/canary", 64 * MiB)
    free = qemu_lab.free()

    def hints():
        return qemu_lab.show()["hints"]

    def command(action):
        return qemu_lab.daemon.rpc("device.hint", name=qemu_lab.name, action=action)["command_id"]

    assert hints() == {"state": "idle", "command_id": 1, "bytes": 0}
    for _ in range(2):
        asked = command("start")
        wait_until(lambda: hints()["state"] == "complete", 20, "a round of hints", found=hints)
        assert hints()["command_id"] == asked
        # Blocks of the largest order, and not what is between them.
        assert free / 3 < hints()["bytes"] <= qemu_lab.mem
        command("done")
        wait_until(lambda: qemu_lab.free() > free - 32 * MiB, 20, "pages back in the guest")
    counters = qemu_lab.show()["counters"]
    assert counters["hint_pages"] > 0
    assert counters["stale_hints"] == counters["bad_hint_commands"] == 0
    assert guest.checksum("/tmp/canary") == checksum


def test_guest_that_clears_its_free_pages_reports_them(clearing_qemu_lab):
    """Debian's cloud kernel knows no other pattern than zeroes, which is what a hole reads as."""
    lab = clearing_qemu_lab
    device = lab.show()
    assert {"PAGE_POISON", "REPORTING"} <= set(device["features"]["acked"])
    assert device["poison_value"] == 0
    checksum = lab.guest.random_file("/tmp/canary", 64 * MiB)
    lab.wait_for_reported(64 * MiB)
    assert lab.counter("reports_kept") == 0
    lab.resize(96 * MiB)
    lab.resize(0)
    assert lab.guest.checksum("/tmp/canary") == checksum


def test_memory_plugged_into_a_running_guest_is_ballooned_too(growing_qemu_lab):
    lab = growing_qemu_lab
    guest = lab.guest
    lab.resize(64 * MiB)
    before = lab.show()["table_bytes"]
    assert lab.show()["guest_bytes"] == before
    checksum = guest.random_file("/tmp/canary", 32 * MiB)
    memory = {"qom-type": "memory-backend-memfd", "size": 128 * MiB, "share": True}
    guest.qmp("object-add", id="more", **memory)
    guest.qmp("device_add", driver="pc-dimm", id="dimm", memdev="more")
    wait_until(lambda: lab.show()["table_bytes"] == before + 128 * MiB, 10, "a larger memory table")
    # Nobody has put it online: it is not the guest's yet.
    lab.stats()
    assert lab.show()["guest_bytes"] == before
    # A new table, and rings that were stopped for it: the balloon is as it was.
    lab.wait_for_ledger(64 * MiB)
    total = guest.meminfo()["MemTotal"]
    guest.sh("for s in /sys/devices/system/memory/memory*/state; do"
             " grep -q offline $s && echo online > $s; done; true")
    assert guest.meminfo()["MemTotal"] >= total
    wait_until(lambda: guest.meminfo()["MemTotal"] > before - 64 * MiB, 10, "memory in the guest",
               found=guest.meminfo)
    # As large as it says, its kernel's own part left out, or as it was.
    total = lab.stats()["total_bytes"]
    assert lab.show()["guest_bytes"] == max(before, total) > before
    # More than would go into a balloon of what there was at first.
    lab.resize(256 * MiB)
    lab.wait_for_ledger(256 * MiB)
    assert guest.checksum("/tmp/canary") == checksum
    lab.resize(0)
    assert lab.show()["counters"]["not_ballooned"] == 0
    assert guest.checksum("/tmp/canary") == checksum


def test_balloon_comes_back_after_the_guest_slept(qemu_lab):
    guest = qemu_lab.guest
    qemu_lab.resize(96 * MiB)
    checksum = guest.random_file("/tmp/canary", 32 * MiB)
    guest.sh("(sleep 0.2; echo mem > /sys/power/state) > /dev/null 2>&1 &")

    def asleep():
        return guest.qmp("query-status")["status"] == "suspended"

    wait_until(asleep, 20, "a guest that sleeps")
    # Linux takes its pages back and lets go of the device before it sleeps (virtballoon_freeze()).
    qemu_lab.wait_for_ledger(0)
    guest.qmp("system_wakeup")
    qemu_lab.wait_for_actual(96 * MiB)
    qemu_lab.wait_for_ledger(96 * MiB)
    assert guest.checksum("/tmp/canary") == checksum
    qemu_lab.resize(0)
    assert guest.checksum("/tmp/canary") == checksum


def test_huge_pages_behind_the_guest_go_back_to_their_pool(huge_qemu_lab):
    lab = huge_qemu_lab
    lab.daemon.rpc("device.reporting", name=lab.name, on=False)  # the balloon's pages alone
    checksum = lab.guest.random_file("/tmp/canary", 64 * MiB)
    lab.guest.touch_memory()
    free = free_huge_pages()
    lab.resize(192 * MiB)

    def given_back():
        device = lab.show()
        return device["reclaimed_bytes"] + device["stranded_bytes"]

    wait_until(lambda: given_back() == 192 * MiB, 10, "whole huge pages freed", found=lab.show)
    reclaimed = lab.show()["reclaimed_bytes"]
    # Linux has no reason to fill whole huge pages; most are, in a guest that has just booted.
    assert reclaimed > 96 * MiB
    assert free_huge_pages() - free == reclaimed // HUGE
    assert lab.guest.checksum("/tmp/canary") == checksum
    lab.resize(0)
    lab.guest.touch_memory()
    assert free_huge_pages() <= free + 32
    assert lab.guest.checksum("/tmp/canary") == checksum
