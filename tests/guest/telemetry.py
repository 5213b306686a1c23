# SPDX-License-Identifier: BSD-3-Clause
"""Clients of DPDK's telemetry: DPDK's own script, and a bare one that may do what the script does not."""

import json
import os
import socket
import subprocess
from pathlib import Path

from guestlab import Daemon

SCRIPT = "dpdk-telemetry.py"
# The profile that has telemetry. Its lcores sleep while idle, for the guests need their cpus, too.
PRODUCTION = '[eal]\nno_huge = true\n[poll]\nidle = "backoff"\n'


def production(folder: Path, devices: tuple[str, ...] = ("vm1",), more: str = "", **options) -> Daemon:
    """A daemon as hosts have it, with its filter of system calls. @param more  configuration"""
    config = folder / "vballoond.toml"
    config.write_text(PRODUCTION + more)
    return Daemon(folder, devices, ("--config", str(config)), production=True, **options)


def script(daemon: Daemon, *commands: str) -> list[dict]:
    """What the script prints for each command that a person types."""
    done = subprocess.run(
        [SCRIPT, "-f", "vballoon"],
        input="".join(f"{command}\n" for command in commands),
        env={**os.environ, "RUNTIME_DIRECTORY": str(daemon.folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return [json.loads(line) for line in done.stdout.splitlines()]


class Client:
    """A connection, and with it a thread of the daemon's."""

    def __init__(self, daemon: Daemon):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # While it blocks: DPDK's queue of connections has room for two, and others wait.
        self._socket.connect(str(daemon.folder / "dpdk/vballoon/dpdk_telemetry.v2"))
        self._socket.settimeout(20)
        self.hello = json.loads(self._socket.recv(1024))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def wait_at_most(self, patience: float) -> None:
        """@param patience  seconds, for each call from now on"""
        self._socket.settimeout(patience)

    def send(self, command: str | bytes) -> None:
        self._socket.send(command if isinstance(command, bytes) else command.encode())

    def receive(self) -> dict:
        """@errors  EOFError where the connection ended"""
        data = self._socket.recv(self.hello["max_output_len"])
        if not data:
            raise EOFError
        return json.loads(data)

    def ask(self, command: str | bytes) -> dict:
        """The answer, without the command before it."""
        self.send(command)
        (answer,) = self.receive().values()
        return answer
