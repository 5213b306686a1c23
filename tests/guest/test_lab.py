# SPDX-License-Identifier: BSD-3-Clause
"""The lab itself, without a daemon: when these fail, look at tools/guestlab first."""

import os

import pytest

from guestlab import CommandFailed, CommandTimeout, LabError, QemuGuest, UmlGuest
from guestlab.guest import MiB, wait_until


@pytest.fixture(scope="module")
def guest():
    with UmlGuest(mem=128 * MiB) as guest:
        yield guest


def test_status_and_output_of_a_command(guest):
    assert guest.run("echo out; echo err >&2; exit 3") == (3, "out\nerr\n")
    with pytest.raises(CommandFailed, match="status 1"):
        guest.sh("false")


def test_output_survives_kernel_messages(guest):
    noise = "for i in 1 2 3 4 5 6 7 8; do echo '<1>noise' > /dev/kmsg; echo $i; done"
    assert guest.sh(f"dmesg -n 8; {noise}; dmesg -n 1").split() == list("12345678")


def test_long_script_and_long_output(guest):
    assert guest.sh("x=" + "y" * 5000 + "; echo ${#x}") == "5000\n"
    assert len(guest.sh("head -c 200000 /dev/zero | tr '\\0' x")) == 200000


def test_command_in_time_and_channel_usable_after_a_timeout(guest):
    with pytest.raises(CommandTimeout, match="killed after 1 s"):
        guest.run("echo begun; sleep 60", timeout=1)
    assert guest.sh("echo still here") == "still here\n"


def test_ram_file_grows_with_what_the_guest_touches(guest):
    before = guest.ram_blocks_bytes()
    guest.fill("/tmp/file", 48 * MiB)
    assert guest.ram_blocks_bytes() >= before + 40 * MiB
    guest.sh("rm /tmp/file")


def test_a_guest_stays_on_its_cpu():
    cpu = max(os.sched_getaffinity(0))
    with UmlGuest(mem=64 * MiB, cpu=cpu) as guest:
        assert os.sched_getaffinity(guest.process.pid) == {cpu}


def test_guest_that_ended_says_so():
    with UmlGuest(mem=64 * MiB) as guest:
        guest.poweroff()
        assert not guest.alive()
        with pytest.raises(LabError, match="ended with status 0"):
            guest.run("true")


def test_qemu_with_its_own_balloon():
    """The same measurement as with ours, so that it is known to be able to succeed."""
    with QemuGuest(mem=256 * MiB, builtin_balloon=True) as guest:
        guest.touch_memory()
        before = guest.ram_blocks_bytes()
        guest.qmp("balloon", value=128 * MiB)
        wait_until(lambda: guest.qmp("query-balloon")["actual"] == 128 * MiB, 30, "the balloon")
        assert guest.ram_blocks_bytes() <= before - 120 * MiB
        assert guest.vmstat()["balloon_inflate"] == 128 * MiB // 4096
