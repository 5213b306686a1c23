# SPDX-License-Identifier: BSD-3-Clause
"""vballoonctl as a person types it, against a daemon without guests."""

import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
from pathlib import Path

import pytest

from guestlab import Daemon
from guestlab.daemon import built


@pytest.fixture(scope="module")
def daemon(folder):
    with Daemon(folder, devices=()) as daemon:
        yield daemon
        daemon.stop()


def test_add_takes_the_keys_of_a_devices_block(daemon):
    keys = ("-k", "automatic=true", "-k", "floor_mib=64", "--key", "reporting=false")
    done = daemon.ctl("add", "vm7", str(daemon.socket("vm7")), *keys)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"vm7 waits for its VMM on {daemon.socket('vm7')}\n"
    shown = daemon.show("vm7")
    assert shown["automatic"] is True and shown["reporting"] is False
    assert daemon.ctl("remove", "vm7").returncode == 0


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("automatic", "'automatic' is not KEY=VALUE, as in automatic=true"),
        ("mode=client", "'mode' is no setting: NAME, SOCKET and --client say it"),
        ("automatic=yes", "'automatic' must be true or false"),
        ("wieght=3", "unknown setting 'wieght'; did you mean 'weight'?"),
        ("weight=0", "'weight' must be a whole number from 1 to 10000"),
        ("group=kvm", "'group' is set in the configuration only"),
        ("floor_mib=-1", "'floor_mib' must be a whole number of MiB from 0 to"),
    ],
)
def test_add_says_what_is_wrong_with_a_key(daemon, key, said):
    done = daemon.ctl("add", "vm8", str(daemon.socket("vm8")), "-k", key)
    assert done.returncode != 0
    assert said in done.stderr
    assert daemon.rpc("device.list")["devices"] == []


def test_set_option_changes_what_is_live_and_refuses_the_rest(daemon):
    assert daemon.ctl("add", "vm9", str(daemon.socket("vm9")), "-k", "packed=off").returncode == 0
    done = daemon.ctl("set-option", "vm9", "weight=200", "reporting=off")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "vm9: weight=200, reporting=off\n"
    settings = daemon.show("vm9")["settings"]
    assert settings["weight"] == 200 and settings["reporting"] is False
    assert "packed=false, reporting=false, weight=200; " in daemon.ctl("show", "vm9").stdout
    refused = daemon.ctl("set-option", "vm9", "packed=true")
    assert refused.returncode == 1
    assert "'packed' cannot change while vm9 is served" in refused.stderr
    assert daemon.ctl("remove", "vm9").returncode == 0


class Screen:
    """vballoonctl on a terminal of so many lines and cells, and what it writes there."""

    def __init__(self, daemon, *arguments, lines=24, cells=60):
        self._end, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, cells, 0, 0))
        self._process = subprocess.Popen(
            [built("vballoonctl"), "--rpc", daemon.rpc_socket, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(theirs)

    def read_all(self) -> str:
        written = b""
        with contextlib.suppress(OSError):  # EIO: nobody writes there any more
            while piece := os.read(self._end, 65536):
                written += piece
        os.close(self._end)
        assert self._process.wait(10) in (0, 1)
        return written.decode()


def visible(written: str) -> list[str]:
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", written).replace("\r", "").split("\n")


@pytest.fixture
def many(daemon):
    names = [f"vm{i:02}" for i in range(40)]
    for name in names:
        daemon.rpc("device.add", name=name, socket=str(daemon.socket(name)))
    yield names
    for name in names:
        daemon.rpc("device.remove", name=name)


def test_wait_ends_when_it_is_true_or_its_time_is_over(daemon):
    daemon.rpc("device.add", name="vm1", socket=str(daemon.socket("vm1")))
    done = daemon.ctl("wait", "vm1", "--until", "state=waiting", "--until", "stranded=0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    began = time.monotonic()
    done = daemon.ctl("wait", "vm1", "-u", "state=running", "-u", "guest>=1M", "--timeout", "1")
    assert done.returncode == 4 and 1 <= time.monotonic() - began < 5
    assert done.stderr == (
        "vballoonctl: vm1: after 1 s not state=running, guest>=1M; it is waiting, target 0 B, actual -\n"
    )
    done = daemon.ctl("wait", "vm1", "-u", "state=running", "--timeout", "1", "--json")
    assert done.returncode == 4 and json.loads(done.stdout)["met"] is False
    assert daemon.ctl("wait", "vm2", "--until", "state=running").returncode == 1
    for wrong in ("state=up", "actual<5", "free=3M"):
        done = daemon.ctl("wait", "vm1", "--until", wrong)
        assert done.returncode == 2 and f"'{wrong}': " in done.stderr, done.stderr
    assert daemon.ctl("wait", "vm1").returncode == 2
    daemon.rpc("device.remove", name="vm1")


def test_watch_keeps_its_heading_on_a_small_terminal(daemon, many):
    written = Screen(daemon, "watch", "--count", "2", "--interval", "0.3").read_all()
    looks = written.split("\x1b[H")[1:]
    assert len(looks) == 2
    for look in looks:
        lines = visible(look.split("\x1b[J")[0])
        assert len(lines) <= 24, "the terminal would scroll"
        assert max(map(len, lines)) <= 60, "a line would wrap"
        assert lines[0].startswith("40 VMs") and lines[2].startswith("NAME")
        assert lines[-1] == "... and 20 more; `vballoonctl list` has all"


def test_watch_shows_all_where_there_is_room(daemon, many):
    written = Screen(daemon, "watch", "--count", "1", lines=60, cells=120).read_all()
    lines = visible(written.split("\x1b[H")[1].split("\x1b[J")[0])
    assert [line.split()[0] for line in lines[3:]] == many


def test_text_of_others_is_escaped(daemon):
    said = daemon.ctl("show", "vm\u009b1\u202e").stderr
    assert "\\x9b1\\u202e" in said and "\u009b" not in said and "\u202e" not in said
    for wrong in ("set", "hint"):
        said = daemon.ctl(wrong, "vm1", "\u202e12").stderr
        assert "\\u202e12" in said and "\u202e" not in said
    assert "\\u202e" in daemon.ctl("show", "\u202e", "--json").stdout
    done = daemon.ctl("add", "vm9", "/tmp/\u202evm9.sock")
    assert done.returncode == 1 and "marks of direction" in done.stderr
    assert "\u202e" not in done.stderr


def test_policy_show_says_that_nobody_is_automatic(daemon):
    said = daemon.ctl("policy", "show").stdout
    assert "no VM is automatic; `vballoonctl policy auto VM on` makes one so" in said
    assert "MEMORY" not in said and "RULE" not in said


def test_set_takes_lists_and_patterns_and_all(daemon, many):
    done = daemon.ctl("set", "vm0[12],vm39", "64M")
    assert done.returncode == 0, done.stderr
    said = "target 64 MiB, kept until its VM shows its memory"
    assert done.stdout.splitlines() == [f"{name}: {said}" for name in ("vm01", "vm02", "vm39")]
    assert daemon.ctl("set", "--all", "32M").stdout.count("target 32 MiB, kept") == 40
    assert daemon.show("vm17")["wanted_bytes"] == 32 << 20
    told = json.loads(daemon.ctl("set", "vm0?", "1G", "--json").stdout)
    assert [one["name"] for one in told] == many[:10]
    assert all(one["target_bytes"] == 1 << 30 for one in told), told[0]
    none = daemon.ctl("set", "vm01,web-*", "0")
    assert none.returncode == 1 and "no VM has a name like 'web-*'" in none.stderr
    assert daemon.show("vm01")["wanted_bytes"] == 1 << 30, "it is all or none"


def test_set_says_by_its_status_how_far_it_came(daemon, many):
    assert daemon.ctl("policy", "auto", "vm01", "on").returncode == 0
    partly = daemon.ctl("set", "vm0[12]", "64M")
    assert partly.returncode == 4 and "vm01" in partly.stderr and "vm02: target" in partly.stdout
    assert daemon.ctl("set", "vm01", "64M").returncode == 1, "refused"
    late = daemon.ctl("set", "vm02", "64M", "--wait", "--timeout", "1")
    assert late.returncode == 4 and "the target stands" in late.stderr
    for wrong in (("vm1",), ("--all", "vm01", "64M"), ("--all",), ("vm1", "64Q"), ("--all", "1")):
        assert daemon.ctl("set", *wrong).returncode == 2, wrong
    nobody = [built("vballoonctl"), "--rpc", "/nonexistent", "set", "--all", "64M"]
    assert subprocess.run(nobody, capture_output=True).returncode == 3


def test_set_wait_stays_on_one_line_of_a_narrow_terminal(uml_lab):
    written = Screen(uml_lab.daemon, "set", "vm1", "100M", "--wait", cells=40).read_all()
    redraws = written.split("\r\n")[0].split("\r")[1:]
    assert redraws, "there was a bar"
    assert max(len(visible(line)[0]) for line in redraws) < 40, "a line would wrap"
    assert "reached in" in written


def test_show_tells_who_sets_the_target_and_what_the_guest_takes(uml_lab):
    said = uml_lab.daemon.ctl("show", "vm1").stdout
    assert re.search(r"ballooned +by hand\n", said)
    assert re.search(r"resident +[0-9.]+ MiB of the host's memory", said)
    heading, line = uml_lab.daemon.ctl("list").stdout.splitlines()
    row = dict(zip(heading.split(), re.split(r"  +", line)))
    assert row["AUTO"] == "no" and row["RESIDENT"].endswith("MiB")


@pytest.fixture
def kept_daemon():
    path = Path(tempfile.mkdtemp(prefix="vbt-"))
    with Daemon(path, devices=("vm1",), kept=True) as daemon:
        yield daemon
        if daemon.alive():
            daemon.stop()
    shutil.rmtree(path, ignore_errors=True)


def test_upgrade_starts_the_next_daemon_and_says_what_it_cost(kept_daemon):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as vmm:
        vmm.connect(str(kept_daemon.socket("vm1")))
        while kept_daemon.show("vm1")["state"] == "waiting":
            time.sleep(0.01)
        done = kept_daemon.ctl("upgrade")
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(
            r"vballoond \S+ \(process \d+\) goes on for \S+ \(process \d+\): "
            r"1 VM was not served for \d+ ms at most\n",
            done.stdout,
        )
        restarts = kept_daemon.ctl("restarts").stdout.splitlines()
        assert restarts[0].split()[:2] == ["VM", "RESTARTS"]
        assert re.fullmatch(r"vm1 +1 +\S+ \S+ ago +(\d+ ms) +\1 +would not notice", restarts[1])
        shown = kept_daemon.ctl("show", "vm1").stdout
        assert "1 since its VMM connected; not served for" in shown
    done = kept_daemon.ctl("upgrade", "--json", "--timeout", "30")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["before"]["pid"] != said["now"]["pid"]
    assert said["vms"][0]["name"] == "vm1"


def test_upgrade_without_a_keeper_says_what_to_do(daemon):
    refused = daemon.ctl("upgrade")
    assert refused.returncode == 1
    assert "stop this one and start the next" in refused.stderr


def test_the_end_of_the_keeper_is_said(folder):
    """The keeper is this test's own: the lab's would take its daemon along."""
    daemon = Daemon(folder / "orphan", devices=())
    daemon.folder.mkdir()
    command = [built("vballoond"), "--dev", "--rpc", daemon.rpc_socket]
    command += ["--state", daemon.folder / "state"]
    with (
        open(daemon.log, "wb") as log,
        subprocess.Popen([built("vballoon-keeper"), "--", *command], stdout=log, stderr=log) as keeper,
    ):
        while daemon.ctl("list").returncode:
            time.sleep(0.05)
        pid = daemon.rpc("version")["pid"]
        keeper.kill()
    try:
        while not (said := daemon.ctl("list").stderr):
            time.sleep(0.01)
        assert re.fullmatch(
            r"vballoonctl: warning: vballoon-keeper \(process \d+\) has ended: .*\n", said
        )
        assert daemon.ctl("restarts").stderr == said
    finally:
        os.kill(pid, signal.SIGTERM)
