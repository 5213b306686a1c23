# SPDX-License-Identifier: BSD-3-Clause
"""`vballoonctl events`: what a real guest's life looks like, line by line."""

import json
import signal
import subprocess
import threading
import time
from contextlib import contextmanager

from guestlab import Daemon
from guestlab.daemon import built
from guestlab.guest import MiB, wait_until


class _Reader(threading.Thread):
    """The lines of a program, as they come."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.lines: list[str] = []
        self._seen = 0
        self._stream = stream
        self.start()

    def run(self):
        for line in self._stream:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, what: str) -> str:
        """@return  the next line that has it, behind the one that was waited for before."""

        def found() -> str | None:
            for at in range(self._seen, len(self.lines)):
                if what in self.lines[at]:
                    self._seen = at + 1
                    return self.lines[at]
            return None

        return wait_until(found, 30, what, found=lambda: self.lines)


@contextmanager
def _events(lab):
    """@yield  a reader that has seen the guest's driver begin."""
    command = [built("vballoonctl"), "--rpc", lab.daemon.rpc_socket, "events", "--all"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            events = _Reader(process.stdout)
            events.wait_for("running")
            yield events
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_life_of_a_guest(uml_lab):
    lab = uml_lab
    with _events(lab) as events:
        lab.resize(32 * MiB)
        assert "the balloon is 32 MiB" in events.wait_for("reached")
        lab.guest.unload_balloon()
        events.wait_for("stopped")
        lab.guest.load_balloon()
        events.wait_for("running")
        lab.guest.kill()
        events.wait_for("disconnected")
        lab.daemon.rpc("device.remove", name="vm1")
        events.wait_for("removed")
    told = lab.daemon.ctl("events", "--all", "--count", "3", "--json").stdout.splitlines()
    kinds = [json.loads(line)["kind"] for line in told]
    assert len(kinds) == 3 and kinds[0] in ("connected", "running"), told


def test_next_daemon_is_followed(kept_lab):
    lab = kept_lab
    with _events(lab) as events:
        lab.daemon.replace()
        assert events.wait_for("-- another daemon goes on")
        events.wait_for("outlived")
        lab.resize(16 * MiB)
        events.wait_for("reached")


def test_slow_reader_is_told_what_it_missed(folder):
    with Daemon(folder, devices=()) as daemon:
        begin = daemon.rpc("events.wait", timeout_ms=0)
        for turn in range(3):
            for number in range(400):
                daemon.rpc("device.add", name=f"vm{number}", socket=str(daemon.socket(f"vm{number}")))
            wait_until(lambda: daemon.rpc("events.wait", timeout_ms=0)["last"] >= 800 * turn + 400, 20, "400 more")
            for number in range(400):
                daemon.rpc("device.remove", name=f"vm{number}")
            wait_until(lambda: daemon.rpc("events.wait", timeout_ms=0)["last"] >= 800 * turn + 800, 20, "400 fewer")
        answer = daemon.rpc("events.wait", after=begin["last"], daemon=begin["daemon"])
        assert answer["lost"] == answer["last"] - 1024
        numbers = [event["number"] for event in answer["events"]]
        assert numbers == list(range(answer["lost"] + 1, answer["last"] + 1))
        daemon.stop()


def test_daemon_that_does_not_come_again_ends_it(folder):
    with Daemon(folder, devices=()) as daemon:
        daemon.rpc("device.add", name="vm1", socket=str(daemon.socket("vm1")))
        command = [built("vballoonctl"), "--rpc", daemon.rpc_socket, "events", "--all"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert "added" in process.stdout.readline()
            began = time.monotonic()
            daemon.stop()
            assert process.wait(60) == 3 and time.monotonic() - began > 10
            assert "no vballoond answers" in process.stderr.read()
