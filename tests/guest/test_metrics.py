# SPDX-License-Identifier: BSD-3-Clause
"""What `vballoonctl metrics` prints, read by Prometheus' own checker, and the alerts on it."""

import re
import shutil
import subprocess
from pathlib import Path

from guestlab import Daemon
from guestlab.guest import MiB, wait_until

_RULES = Path(__file__).resolve().parents[2] / "config/prometheus/vballoon.rules.yml"
_CASES = Path(__file__).with_name("prometheus") / "vballoon.rules.test.yml"


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
    wait_until(lambda: lab.show()["reclaimed_bytes"] == 32 * MiB, 10, "all of it reclaimed")
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


def _run(command: list, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_come_for_what_they_are_meant_for_and_for_nothing_else(promtool, tmp_path):
    for file in (_RULES, _CASES):
        shutil.copy(file, tmp_path)
    _run([promtool, "check", "rules", _RULES.name], tmp_path)
    _run([promtool, "test", "rules", _CASES.name], tmp_path)
    names = set(re.findall(r"alert: (\w+)", _RULES.read_text()))
    assert names and names == set(re.findall(r'alertname="(\w+)"', _CASES.read_text()))


def test_alerts_are_about_figures_that_there_are(lab):
    text = lab.daemon.ctl("metrics").stdout
    wanted = set(re.findall(r"\bvballoon_\w+", _RULES.read_text()))
    told = set(re.findall(r"^# HELP (\w+)", text, re.MULTILINE))
    assert wanted and wanted <= told | {"vballoon_up"}  # the exporter's
