# SPDX-License-Identifier: BSD-3-Clause
"""vballoond as a service of systemd's, with a VM connected: what ends the daemon, and what of that
the VM notices. The VM is vballoon-driver, which does not know how to connect again."""

import json
import re
import sys
import time
import unittest
from pathlib import Path

from machine import Machine, why_not

_BUILD = Path(sys.argv.pop())
_SKIPPED = 77  # as meson has it
_CONFIG = """
[eal]
no_huge = true
[poll]
idle = "backoff"
[daemon]
rpc_observers = "vballoon-observers"
[[device]]
name = "vm1"
socket = "/run/vballoon/vm1.sock"
"""
# What the unit says is not changed, but where output goes: there is no journal.
_DROP_IN = """[Service]
StandardOutput=append:/var/log/vballoond
StandardError=append:/var/log/vballoond
"""
_SCRAPE = """import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:10787/metrics", timeout=5).read().decode())"""
# A client of DPDK's telemetry.
_ASK = """
import socket
client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect("/run/vballoon/dpdk/vballoon/dpdk_telemetry.v2")
client.recv(1024)
client.send(b"/balloon/list")
print(client.recv(16384).decode())
"""
_TURN = ["inflate:16M", "pause:0.2", "deflate:8M", "pause:0.1", "deflate:all"]


class Service(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Machine(_BUILD))
        folder = cls.machine.path("/etc/units/vballoond.service.d")
        folder.mkdir()
        (folder / "output.conf").write_text(_DROP_IN)
        unit = cls.machine.path("/etc/units/vballoond.service").read_text()
        config = re.search(r"--config (\S+)", unit)[1]
        cls.machine.path(config).write_text(_CONFIG)
        cls.systemctl("daemon-reload")

    def setUp(self):
        self.systemctl("start", "vballoond")

    def tearDown(self):
        self.machine.run("systemctl", "stop", "vballoond")
        self.machine.run("systemctl", "reset-failed", "vballoond")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(self.said(), file=sys.stderr)

    # Helpers

    @classmethod
    def said(cls) -> str:
        log = cls.machine.path("/var/log/vballoond")
        return log.read_text() if log.exists() else "the daemon said nothing"

    @classmethod
    def systemctl(cls, *words: str) -> str:
        done = cls.machine.run("systemctl", *words)
        if done.returncode != 0:
            raise AssertionError(f"systemctl {' '.join(words)}: {done.stderr}\n{cls.said()}")
        return done.stdout.strip()

    def property(self, name: str) -> str:
        return self.systemctl("show", "--property", name, "--value", "vballoond")

    def show(self) -> dict:
        done = self.machine.run("vballoonctl", "show", "vm1", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def wait(self, condition, what: str):
        deadline = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what}: {self.property('Result')}")
            time.sleep(0.05)

    def wait_for_another(self, pid: str):
        self.wait(lambda: self.property("MainPID") not in ("0", pid)
                  and self.property("ActiveState") == "active", "no other daemon")
        self.assertNotEqual(self.show(), {})

    def connect(self, turns: int):
        """A VM that does so many turns."""
        driver = self.machine.start("vballoon-driver", "--socket", "/run/vballoon/vm1.sock",
                                    "--mem", "64M", "--canaries", "--timeout", "10",
                                    *(_TURN * turns), stdout=-1, stderr=-2)
        self.addCleanup(driver.stdout.close)
        self.addCleanup(driver.wait)
        self.addCleanup(driver.kill)
        self.wait(lambda: self.show().get("state") == "running", "the VM does not run")
        return driver

    def expect_unnoticed(self, driver):
        output = driver.communicate(timeout=60)[0]
        self.assertEqual(driver.returncode, 0, output)
        changed = re.findall(r"(\d+) pages checked, (\d+) changed", output)
        self.assertTrue(changed, output)
        self.assertEqual({number for _, number in changed}, {"0"}, output)

    # Tests

    def test_kills_go_unnoticed(self):
        driver = self.connect(8)
        kept = self.property("NFileDescriptorStore")
        self.assertGreaterEqual(int(kept), 2)
        for _ in range(4):
            pid = self.property("MainPID")
            self.systemctl("kill", "--signal=KILL", "--kill-whom=main", "vballoond")
            self.wait_for_another(pid)
            time.sleep(0.3)
            self.assertEqual(self.property("NFileDescriptorStore"), kept)
        self.expect_unnoticed(driver)

    def test_restarts_and_an_upgrade_go_unnoticed(self):
        driver = self.connect(8)
        kept = self.property("NFileDescriptorStore")
        for upgrade in (False, True, False):
            pid = self.property("MainPID")
            program = self.machine.path("/usr/local/sbin/vballoond")
            if upgrade:
                new = program.with_name("vballoond.new")
                new.write_bytes(program.read_bytes())
                new.chmod(0o755)
                new.rename(program)
            self.systemctl("restart", "vballoond")
            self.wait_for_another(pid)
            self.assertEqual(self.property("NFileDescriptorStore"), kept)
        self.expect_unnoticed(driver)

    def test_the_exporter_asks_as_nobody(self):
        self.systemctl("start", "vballoon-exporter")
        self.addCleanup(self.machine.run, "systemctl", "stop", "vballoon-exporter")
        text = ""

        def answers() -> bool:
            nonlocal text
            done = self.machine.run("/usr/bin/python3", "-c", _SCRAPE)
            text = done.stdout
            return "vballoon_up 1\n" in text

        self.wait(answers, "the exporter does not answer")
        self.assertIn('vballoon_vm_state{vm="vm1",state="waiting"} 1\n', text)
        pid = self.systemctl("show", "--property", "MainPID", "--value", "vballoon-exporter")
        status = self.machine.path(f"/proc/{pid}/status").read_text()
        self.assertGreaterEqual(int(re.search(r"^Uid:\t(\d+)", status, re.MULTILINE)[1]), 61184)
        self.assertIn("\nCapEff:\t0000000000000000\n", status)

    def test_a_stop_ends_connections(self):
        driver = self.connect(100)
        self.systemctl("stop", "vballoond")
        self.assertNotEqual(driver.wait(timeout=30), 0)
        self.assertEqual(self.property("NFileDescriptorStore"), "0")
        self.assertEqual(self.property("Result"), "success")
        self.systemctl("start", "vballoond")
        self.assertEqual(self.show()["state"], "waiting")
        self.expect_unnoticed(self.connect(1))

    def test_a_device_that_is_removed_is_not_kept(self):
        driver = self.connect(100)
        kept = int(self.property("NFileDescriptorStore"))
        done = self.machine.run("vballoonctl", "remove", "vm1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotEqual(driver.wait(timeout=30), 0)
        # Both ends of its bag are gone; what is of the daemon stays.
        self.wait(lambda: int(self.property("NFileDescriptorStore")) == kept - 2, "it is kept")

    def test_telemetry_answers_root_alone_and_after_a_kill(self):
        ask = ("python3", "-c", _ASK)
        for _ in range(2):
            done = self.machine.run(*ask)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["/balloon/list"]["names"], ["vm1"])
            pid = self.property("MainPID")
            self.systemctl("kill", "--signal=KILL", "--kill-whom=main", "vballoond")
            self.wait_for_another(pid)
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        self.assertIn("PermissionError", self.machine.run(*nobody, *ask).stderr)


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(_SKIPPED)
    unittest.main(verbosity=2)
