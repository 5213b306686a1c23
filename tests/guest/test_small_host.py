# SPDX-License-Identifier: BSD-3-Clause
"""The lab's small host: a guest in it swaps, and nothing of it outlives its maker."""

import mmap
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guestlab import SmallHost, UmlGuest, slow_disk
from guestlab.guest import MiB, wait_until

pytestmark = pytest.mark.skipif(bool(SmallHost.missing()), reason=SmallHost.missing())

_TOOLS = Path(__file__).resolve().parents[2] / "tools"
_FOREVER = """
import signal, sys, time
from pathlib import Path
# Who starts tests in the background may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[1])
from guestlab import SmallHost
from guestlab.slow_disk import Pace
pace = Pace(1 << 22, 0.001, 1 << 20) if sys.argv[3] == "slow" else None
with SmallHost(64 << 20, 64 << 20, Path(sys.argv[2]), pace) as host:
    host.hold(8 << 20, "room", locked=True)
    print(host.cgroup, host.swap_file, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def host(folder):
    with SmallHost(160 * MiB, 256 * MiB, folder) as host:
        yield host


def in_use(swap_file) -> bool:
    return any(
        line.split()[0] == str(swap_file) for line in Path("/proc/swaps").read_text().splitlines()
    )


def test_a_guest_that_does_not_fit_is_swapped_and_keeps_its_contents(host):
    with UmlGuest(mem=256 * MiB, cgroup=host.room("guest")) as guest:
        assert guest.process.pid in host.processes("guest")
        checksum = guest.random_file("/tmp/all", 180 * MiB)
        # What it has in memory and what was swapped out of its RAM file, together.
        assert guest.ram_blocks_bytes() >= 180 * MiB
        assert host.usage() <= host.limit
        assert host.stat("guest")["swap"] >= 24 * MiB
        assert guest.checksum("/tmp/all") == checksum


def test_a_guest_swaps_to_a_file_of_its_own(folder):
    swap = folder / "guest.swap"
    with open(swap, "wb") as file:
        file.truncate(128 * MiB)
    with UmlGuest(mem=128 * MiB, swap=swap) as guest:
        checksum = guest.random_file("/tmp/all", guest.meminfo()["MemFree"] + 4 * MiB)
        assert guest.vmstat()["pswpout"] > 0
        assert guest.checksum("/tmp/all") == checksum
    swap.unlink()


def test_a_host_that_becomes_larger_has_more_free(host):
    limit, free = host.limit, host.free()
    host.resize(limit + 256 * MiB)
    assert host.free() >= free + 240 * MiB
    host.resize(limit)
    assert host.free() <= free + 16 * MiB


def test_memory_is_held_until_it_is_released(host):
    before = host.usage()
    holder = host.hold(64 * MiB, "room", locked=False)
    assert before + 64 * MiB <= host.usage() <= before + 80 * MiB
    host.release(holder)
    wait_until(lambda: host.usage() < before + 16 * MiB, 10, "memory given back", found=host.usage)


def test_page_cache_counts_as_free_and_goes_before_anything_is_swapped(host):
    host.cache(48 * MiB, "room")
    assert host.page_cache() >= 48 * MiB
    free = host.limit - host.usage()
    assert host.free() >= free + 46 * MiB
    host.hold(free + 24 * MiB, "neighbour", locked=False)
    assert host.stat()["total_swap"] <= 4 * MiB
    assert host.page_cache() <= 32 * MiB


@pytest.mark.skipif(bool(slow_disk.missing()), reason=slow_disk.missing())
def test_a_slow_disk_is_no_faster_than_it_says(folder):
    pace = slow_disk.Pace(rate=8 * MiB, seek=0.02, cache=MiB)
    with SmallHost(64 * MiB, 16 * MiB, folder, pace, room=16 * MiB) as host:
        assert in_use(host.swap_file) and host.swap_file.is_relative_to(host.disk)
        file = os.open(host.disk / "file", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
        with mmap.mmap(-1, 8 * MiB) as ours, mmap.mmap(-1, 8 * MiB) as theirs:
            ours[:] = os.urandom(8 * MiB)
            took = {
                "written": seconds(lambda: transfer(os.pwritev, file, ours, range(128))),
                "read": seconds(lambda: transfer(os.preadv, file, theirs, range(128))),
                "backwards": seconds(lambda: transfer(os.preadv, file, theirs, range(127, -1, -4))),
            }
            assert theirs[:] == ours[:]
        os.close(file)
        # 8 MiB, of which one is in the cache; and 2 MiB in 32 places, to most of which it has to seek.
        assert took["written"] > 0.8 and took["read"] > 0.8, took
        assert took["backwards"] > 0.8 * (0.25 + 32 * 0.02), took
    assert not os.path.ismount(host.disk) and not host.disk.exists()


def transfer(way, file: int, memory, pieces: range) -> None:
    """In pieces of 64 KiB, of the file and of memory alike."""
    with memoryview(memory) as view:
        for start in (piece << 16 for piece in pieces):
            way(file, [view[start : start + (1 << 16)]], start)


def seconds(action) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


@pytest.mark.parametrize("number", ["INT", "TERM", "KILL"])
@pytest.mark.parametrize("disk", ["any", "slow"])
def test_nothing_is_left_when_its_maker_is_killed(folder, number, disk):
    if disk == "slow" and slow_disk.missing():
        pytest.skip(slow_disk.missing())
    command = [sys.executable, "-c", _FOREVER, str(_TOOLS), str(folder), disk]
    maker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    cgroup, swap_file = map(Path, maker.stdout.readline().split())
    assert in_use(swap_file) and (cgroup / "room").exists()
    subprocess.run(["kill", f"-{number}", str(maker.pid)], check=True)
    maker.communicate(timeout=60)

    def gone():
        return not (cgroup.exists() or in_use(swap_file) or os.path.exists(swap_file.parent))

    wait_until(gone, 30, "no control group and no swap file")
