# SPDX-License-Identifier: BSD-3-Clause
"""The balloon of large pages in a guest whose memory runs short, lies on nodes, or goes away, and in
one that sleeps or starts another kernel."""

from guestlab.guest import MiB, wait_until


def _node_total(lab, node: int) -> int:
    """Memory of the guest's node, in bytes, less what is in the balloon."""
    text = lab.guest.sh(f"grep MemTotal: /sys/devices/system/node/node{node}/meminfo")
    return int(text.split()[-2]) * 1024


def _wait_for_word(lab, reason: str) -> None:
    wait_until(
        lambda: lab.show()["driver"]["newest_target"] and lab.show()["driver"]["reason"] == reason,
        60,
        f"the driver's word '{reason}'",
        found=lambda: lab.show()["driver"],
    )


def test_guest_that_runs_out_of_memory_has_it_back_and_kills_nobody(large_lab):
    lab = large_lab
    lab.resize(160 * MiB)
    more = lab.guest.meminfo()["MemFree"] // MiB + 48
    lab.guest.sh(f"dd if=/dev/zero of=/tmp/needed bs=1M count={more}", timeout=120)
    left = lab.show()["ballooned_bytes"]
    assert left <= 128 * MiB, left // MiB
    wait_until(lambda: lab.counter("pressure_messages") > 0, 5, "a message of pressure")
    lab.guest.sh("rm /tmp/needed")
    lab.resize(96 * MiB)
    lab.wait_for_ledger(96 * MiB)


def test_pages_come_from_the_node_of_the_device_and_from_no_other(second_node_lab):
    lab = second_node_lab
    first, second = _node_total(lab, 0), _node_total(lab, 1)
    lab.resize(96 * MiB)
    assert (_node_total(lab, 0), _node_total(lab, 1)) == (first, second - 96 * MiB)
    lab.set_target(256 * MiB)  # more than the node has
    _wait_for_word(lab, "exhausted")
    held = lab.show()["ballooned_bytes"]
    assert 96 * MiB < held < 192 * MiB
    assert (_node_total(lab, 0), _node_total(lab, 1)) == (first, second - held)
    lab.resize(0)
    assert (_node_total(lab, 0), _node_total(lab, 1)) == (first, second)


_MOVABLE_BLOCK = """for block in /sys/devices/system/memory/memory*; do
  [ "$(cat $block/valid_zones)" = Movable ] && echo $block
done | head -n 1"""  # the last one has the firmware's holes


def test_memory_that_goes_offline_leaves_the_balloon(movable_large_lab):
    lab = movable_large_lab
    checksum = lab.guest.random_file("/tmp/canary", 16 * MiB)
    block = lab.guest.sh(_MOVABLE_BLOCK).strip()
    assert block, lab.guest.sh("grep . /sys/devices/system/memory/memory*/valid_zones")
    # Movable memory goes first, and outside the block there is less of it.
    lab.resize(200 * MiB)
    lab.guest.sh(f"echo offline > {block}/state", timeout=60)
    assert lab.guest.sh(f"cat {block}/state").strip() == "offline"
    lab.resize(48 * MiB)
    lab.wait_for_ledger(48 * MiB)
    lab.guest.sh(f"echo online_movable > {block}/state", timeout=60)
    lab.resize(112 * MiB)
    lab.wait_for_ledger(112 * MiB)
    lab.resize(0)
    assert lab.counter("not_ballooned") == 0
    assert lab.guest.checksum("/tmp/canary") == checksum


def test_memory_that_is_unplugged_leaves_the_balloon_and_the_host_has_it(growing_large_lab):
    lab, guest = growing_large_lab, growing_large_lab.guest
    checksum = guest.random_file("/tmp/canary", 16 * MiB)
    before, total = lab.show()["table_bytes"], guest.meminfo()["MemTotal"]
    memory = {"qom-type": "memory-backend-memfd", "size": 128 * MiB, "share": True}
    guest.qmp("object-add", id="more", **memory)
    guest.qmp("device_add", driver="pc-dimm", id="dimm", memdev="more")
    wait_until(lambda: lab.show()["table_bytes"] == before + 128 * MiB, 10, "a larger memory table")
    wait_until(
        lambda: guest.meminfo()["MemTotal"] > total + 96 * MiB,
        10,
        "memory in the guest",
        found=lambda: (guest.meminfo(), guest.sh("grep . /sys/devices/system/memory/memory*/state")),
    )
    # Movable memory goes first: almost all that was plugged is in the balloon.
    lab.resize(176 * MiB)
    lab.wait_for_ledger(176 * MiB)
    guest.qmp("device_del", id="dimm")
    wait_until(
        lambda: lab.show()["table_bytes"] == before,
        60,
        "the memory table as it was",
        found=lambda: (guest.sh("dmesg | tail -n 5"), guest.qmp("query-memory-devices")),
    )
    assert guest.qmp("query-memory-devices") == []
    lab.resize(64 * MiB)
    lab.wait_for_ledger(64 * MiB)
    assert guest.checksum("/tmp/canary") == checksum
    lab.resize(0)
    assert lab.counter("not_ballooned") == 0
    assert guest.checksum("/tmp/canary") == checksum


def test_guest_that_sleeps_has_its_newest_target_when_it_wakes(large_lab):
    lab, guest = large_lab, large_lab.guest
    checksum = guest.random_file("/tmp/canary", 16 * MiB)
    lab.resize(96 * MiB)
    lab.wait_for_ledger(96 * MiB)
    guest._send_off("echo mem > /sys/power/state")
    wait_until(
        lambda: guest.qmp("query-status")["status"] == "suspended",
        60,
        "a guest that sleeps",
        found=lambda: guest.qmp("query-status"),
    )
    lab.set_target(64 * MiB)
    guest.qmp("system_wakeup")
    lab.wait_for_actual(64 * MiB)
    lab.wait_for_ledger(64 * MiB)
    assert guest.checksum("/tmp/canary") == checksum
    lab.resize(0)
    assert guest.checksum("/tmp/canary") == checksum


def test_pages_of_a_gigabyte_go_to_the_host_and_come_back(giant_large_lab):
    lab, guest = giant_large_lab, giant_large_lab.guest
    checksum = guest.random_file("/tmp/canary", 64 * MiB)
    before = guest.meminfo()["MemTotal"]
    lab.resize(2048 * MiB)
    lab.wait_for_ledger(2048 * MiB)
    assert guest.meminfo()["MemTotal"] == before - 2048 * MiB
    # A target between two pages is rounded down to a whole one.
    lab.set_target(1536 * MiB)
    lab.wait_for_actual(1024 * MiB)
    lab.wait_for_ledger(1024 * MiB)
    assert guest.checksum("/tmp/canary") == checksum
    lab.resize(0)
    assert guest.meminfo()["MemTotal"] == before
    assert lab.counter("not_ballooned") == lab.counter("unaligned") == 0
    assert guest.checksum("/tmp/canary") == checksum


def test_guest_that_is_off_and_goes_on_has_its_memory_and_its_newest_target(hibernating_large_lab):
    lab, guest = hibernating_large_lab, hibernating_large_lab.guest
    checksum = guest.random_file("/tmp/canary", 16 * MiB)
    lab.resize(96 * MiB)
    lab.wait_for_ledger(96 * MiB)
    guest.hibernate("/dev/nvme0n1")
    lab.wait_for_state("waiting")
    lab.set_target(64 * MiB)
    guest.wake()
    lab.wait_for_actual(64 * MiB)
    lab.wait_for_ledger(64 * MiB)
    assert guest.checksum("/tmp/canary") == checksum
    lab.resize(0)
    assert lab.counter("not_ballooned") == 0
    assert guest.checksum("/tmp/canary") == checksum


def test_kernel_that_is_started_by_kexec_finds_an_empty_balloon(kexec_large_lab):
    lab = kexec_large_lab
    lab.resize(96 * MiB)
    lab.guest.kexec("LAB_SECOND=1")
    lab.wait_for_state("running")
    lab.wait_for_actual(96 * MiB)
    lab.wait_for_ledger(96 * MiB)
    checksum = lab.guest.random_file("/tmp/canary", 96 * MiB)
    lab.resize(0)
    assert lab.guest.checksum("/tmp/canary") == checksum
    assert lab.counter("not_ballooned") == 0
