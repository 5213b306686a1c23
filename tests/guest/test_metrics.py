# SPDX-License-Identifier: BSD-3-Clause
"""What `vballoonctl metrics` prints, read by Prometheus' own checker."""

import subprocess
from pathlib import Path

import pytest

from guestlab import Daemon
from guestlab.cache import cache_dir, prepare
from guestlab.guest import MiB

_PREPARE = Path(__file__).resolve().parents[2] / "tools/prepare-prometheus"


@pytest.fixture(scope="module")
def promtool():
    prepare("Prometheus", _PREPARE)
    return cache_dir() / "prometheus/usr/bin/promtool"


def _check(promtool, text: str) -> None:
    done = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True)
    # It says on standard error what breaks the naming rules, and on standard output nothing.
    assert (done.returncode, done.stderr, done.stdout) == (0, "", ""), text


def _sample(text: str, series: str) -> float:
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{series} "))


def test_checker_finds_nothing_wrong_without_a_vm_and_with_a_waiting_one(folder, promtool):
    with Daemon(folder, devices=()) as daemon:
        _check(promtool, daemon.ctl("metrics").stdout)
        daemon.rpc("device.add", name="vm1", socket=str(daemon.socket("vm1")))
        text = daemon.ctl("metrics").stdout
        _check(promtool, text)
        assert _sample(text, 'vballoon_vm_state{vm="vm1",state="waiting"}') == 1
        daemon.stop()


def test_figures_of_a_guest_are_those_of_show(lab, promtool):
    lab.resize(32 * MiB)
    lab.stats()
    text = lab.daemon.ctl("metrics").stdout
    _check(promtool, text)
    shown = lab.show()
    for key in ("guest_bytes", "target_bytes", "actual_bytes", "ballooned_bytes", "reclaimed_bytes"):
        assert _sample(text, f'vballoon_vm_{key}{{vm="vm1"}}') == shown[key], key
    assert _sample(text, 'vballoon_vm_state{vm="vm1",state="running"}') == 1
    assert _sample(text, 'vballoon_guest_total_bytes{vm="vm1"}') == shown["stats"]["total_bytes"]
    assert _sample(text, 'vballoon_vm_inflated_pages_total{vm="vm1"}') >= 8192
    faults = 'vballoon_vm_guest_faults_total{vm="vm1",kind="outside_memory"}'
    assert _sample(text, faults) == shown["counters"]["outside_memory"]
