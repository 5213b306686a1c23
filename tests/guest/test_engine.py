# SPDX-License-Identifier: BSD-3-Clause
"""The reclaim engine under a real guest: early acknowledgement, reclaim lcores, the switches."""

import os
import random
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from guestlab import Daemon
from guestlab.guest import MiB, wait_until
from lab import PAGE, Lab

# Each placement retargets for so long; ten minutes and more by hand.
RETARGET_SECONDS = float(os.environ.get("VBALLOON_RETARGET_SECONDS", "10"))

_CPUS = sorted(os.sched_getaffinity(0))
_PLACEMENTS = {
    "inline": "",
    "one reclaim lcore": f"[reclaim]\nlcores = [{_CPUS[-1]}]\n",
    "smallest window": f"[reclaim]\nlcores = [{_CPUS[-1]}]\nwindow_mib = 0\nwindow_age_ms = 0\n",
}


def _lab_with(text):
    folder = Path(tempfile.mkdtemp(prefix="vbt-"))
    config = folder / "vballoond.toml"
    config.write_text(text)
    with Daemon(folder, arguments=("--config", str(config))) as daemon:
        with Lab("uml", daemon) as lab:
            yield lab
        daemon.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=_PLACEMENTS)
def placed(request):
    yield from _lab_with(_PLACEMENTS[request.param])


@pytest.fixture
def two_pollers():
    if len(_CPUS) < 2:
        pytest.fail("this machine has one cpu only, and two poll lcores need two")
    yield from _lab_with(f'[poll]\nlcores = [{_CPUS[0]}, {_CPUS[-1]}]\nidle = "backoff"\n')


def test_files_keep_their_checksums_through_random_retargets(placed):
    chance = random.Random(3)
    checksum = placed.guest.random_file("/tmp/canary", 48 * MiB)
    end = time.monotonic() + RETARGET_SECONDS
    steps = 0
    while time.monotonic() < end:
        steps += 1
        target = chance.randrange(0, 112 * MiB, PAGE)
        placed.set_target(target)
        if steps % 4 == 0:  # the other times the next target comes in the middle of the way
            placed.wait_for_actual(target)
        if steps % 8 == 0:
            churn = placed.guest.random_file("/tmp/churn", 8 * MiB)
            assert placed.guest.checksum("/tmp/churn") == churn, f"after {steps} retargets"
            assert placed.guest.checksum("/tmp/canary") == checksum, f"after {steps} retargets"
    assert steps >= 8
    placed.resize(96 * MiB)
    placed.wait_for_ledger(96 * MiB)
    assert placed.guest.checksum("/tmp/canary") == checksum
    placed.resize(0)
    placed.wait_for_ledger(0)
    assert placed.guest.checksum("/tmp/canary") == checksum


def test_the_host_gets_it_back_soon_after_the_acknowledgement(placed):
    blocks = placed.touch_memory()
    placed.resize(96 * MiB)
    placed.wait_for_blocks_below(blocks - 96 * MiB * 95 // 100)
    wait_until(lambda: placed.counter("gathered_pages") == 0, 10, "an empty window")
    assert placed.show()["reclaimed_bytes"] == 96 * MiB
    reclaimers = [lcore for lcore in placed.daemon.lcores() if lcore["role"] == "reclaim"]
    for lcore in reclaimers:
        assert lcore["busy_passes"] > 0, lcore


def test_inhibited_nothing_goes_and_later_it_does(uml_lab):
    # Inhibited, the daemon leaves reported pages where they are as well.
    uml_lab.daemon.rpc("device.inhibit", name="vm1", on=True)
    blocks = uml_lab.touch_memory()
    uml_lab.resize(64 * MiB)
    uml_lab.wait_for_ledger(64 * MiB)
    assert uml_lab.show()["discarded_bytes"] == 0
    assert uml_lab.blocks() >= blocks - 4 * MiB
    uml_lab.daemon.rpc("device.inhibit", name="vm1", on=False)
    uml_lab.wait_for_blocks_below(blocks - 60 * MiB)


def test_prefaulted_memory_is_there_before_the_guest_touches_it(uml_lab):
    uml_lab.guest.touch_memory()
    # What the guest reports as free goes back to the host two seconds later.
    uml_lab.daemon.rpc("device.configure", name="vm1", reporting=False)
    uml_lab.resize(96 * MiB)
    wait_until(lambda: uml_lab.counter("gathered_pages") == 0, 10, "an empty window")
    uml_lab.daemon.rpc("device.prefault", name="vm1", on=True)
    blocks = uml_lab.blocks()
    uml_lab.set_target(0)
    wait_until(lambda: uml_lab.counter("prefaulted_bytes") >= 90 * MiB, 15, "prefaulted pages")
    assert uml_lab.blocks() >= blocks + 64 * MiB
    assert uml_lab.counter("prefault_failures") == 0


def test_a_device_moves_between_poll_lcores_under_load(two_pollers):
    lab, chance = two_pollers, random.Random(4)
    checksum = lab.guest.random_file("/tmp/canary", 32 * MiB)
    lcores = [each["lcore"] for each in lab.daemon.lcores() if each["role"] == "poll"]
    assert len(lcores) == 2
    for step in range(20):
        lab.set_target(chance.randrange(0, 112 * MiB, PAGE))
        lab.daemon.rpc("device.move", name="vm1", lcore=lcores[step % 2])
        assert lab.show()["lcore"] == lcores[step % 2]
    lab.resize(64 * MiB)
    lab.wait_for_ledger(64 * MiB)
    assert lab.guest.checksum("/tmp/canary") == checksum
