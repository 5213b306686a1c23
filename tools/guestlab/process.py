# SPDX-License-Identifier: BSD-3-Clause
"""A process that leaves nothing behind: the caller's side of reaper.py."""

import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from .errors import LabError

_REAPER = str(Path(__file__).with_name("reaper.py"))
_START_SECONDS = 30


class Process:
    """One started command, and whatever it starts itself."""

    def __init__(
        self, command, *, env=None, pass_fds=(), stdin=subprocess.DEVNULL, output=None, cwd=None
    ):
        """@param output  file descriptor or file for standard output and error; None: nowhere."""
        self.command = [str(word) for word in command]
        self.returncode: int | None = None
        self._control, theirs = socket.socketpair()
        self._heard = b""
        with theirs:
            self._reaper = subprocess.Popen(
                [sys.executable, "-IS", _REAPER, str(theirs.fileno()), *self.command],
                env=env,
                cwd=cwd,
                stdin=stdin,
                stdout=subprocess.DEVNULL if output is None else output,
                stderr=subprocess.DEVNULL if output is None else output,
                pass_fds=(theirs.fileno(), *pass_fds),
                start_new_session=True,
            )
        word, value = self._hear(_START_SECONDS) or ("", 0)
        if word != "pid":
            raise LabError(f"could not start {self.command[0]} within {_START_SECONDS} s")
        self.pid: int = value

    def alive(self) -> bool:
        return self.wait(0) is None

    def send(self, number: int) -> None:
        """Harmless when the process has ended."""
        if self.alive():
            try:
                self._control.send(bytes([number]))
            except OSError:
                pass  # ended since

    def kill(self) -> int:
        """SIGKILL, then waits until nothing of it is left."""
        self.send(signal.SIGKILL)
        status = self.wait(30)
        if status is None:
            raise LabError(f"process {self.pid} ({self.command[0]}) survives SIGKILL for 30 s")
        return status

    def wait(self, timeout: float) -> int | None:
        """@return  exit status, negative for a signal; None when it still runs after timeout."""
        if self.returncode is None:
            said = self._hear(timeout)
            if said:
                self.returncode = said[1]
                self._reaper.wait()
                self._control.close()
        return self.returncode

    def _hear(self, timeout: float) -> tuple[str, int] | None:
        """One line of the reaper, or None. A reaper that is gone counts as killed."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._heard:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._control], [], [], left)[0]:
                return None
            data = self._control.recv(256)
            if not data:
                return "exit", -signal.SIGKILL
            self._heard += data
        line, self._heard = self._heard.split(b"\n", 1)
        word, value = line.decode().split()
        return word, int(value)
