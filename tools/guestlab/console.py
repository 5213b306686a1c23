# SPDX-License-Identifier: BSD-3-Clause
"""The two lines into a guest: its console, only ever logged, and its command channel.

They are separate devices in the guest, so kernel messages and a command's output never mix.
"""

import base64
import binascii
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import CommandTimeout, LabError

# A line discipline in raw mode holds 4095 bytes: a request stays well below it.
MAX_SCRIPT_BYTES = 2000
# How much longer than the guest itself the host waits for an answer: a guest on a busy host.
_GRACE_SECONDS = 20
_KILLED = 137  # status of a command that timeout(1) has ended with SIGKILL

_LONG = 300  # lines; the kernel's report of a guest that is out of memory has some 100


class Console:
    """Drains the guest's console into a file: a guest whose console is full stands still."""

    def __init__(self, log: Path):
        self.log = log
        self._ours, self._theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._drain, daemon=True)

    def fileno(self) -> int:
        """The guest's end."""
        return self._theirs.fileno()

    def started(self) -> None:
        """The guest has its end: close our copy, so that its death is seen as end of file."""
        self._theirs.close()
        self._thread.start()

    def take(self) -> socket.socket:
        """For whoever wants to talk on the console himself. @pre  started() was not called."""
        self._theirs.close()
        return self._ours

    def tail(self, lines: int = 15) -> str:
        return _shown(self._lines()[-lines:])

    def last_words(self) -> str:
        """The tail; of a guest that died for want of memory, what its kernel said of that."""
        lines = self._lines()[-_LONG:]
        began = next((at for at, line in enumerate(lines) if "invoked oom-killer" in line), None)
        dead = any("Kernel panic" in line for line in lines)
        return _shown(lines[began:]) if dead and began is not None else self.tail()

    def _lines(self) -> list[str]:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text.replace("\r", "").splitlines()

    def _drain(self) -> None:
        with self._ours, open(self.log, "ab", buffering=0) as log:
            while data := _receive(self._ours):
                log.write(data)


def _shown(lines: list[str]) -> str:
    return "\n".join(f"  console| {line}" for line in lines) or "  console| (empty)"


@dataclass(frozen=True)
class Answer:
    status: int
    output: str


class CommandChannel:
    """Sends one script at a time and returns its status and output. See init.sh for the lines."""

    def __init__(self):
        self._ours, self._theirs = socket.socketpair()
        self._buffer = b""
        self._next_id = 0
        self.boot_id: str | None = None

    def fileno(self) -> int:
        """The guest's end."""
        return self._theirs.fileno()

    def started(self) -> None:
        self._theirs.close()

    def close(self) -> None:
        self._ours.close()

    def wait_ready(self, timeout: float) -> None:
        """Waits for a boot other than the one known so far. @errors  CommandTimeout, LabError"""
        deadline, known = time.monotonic() + timeout, self.boot_id
        while self.boot_id in (None, known):
            self._read_line(deadline)

    def run(self, script: str, timeout: float, grace: float = _GRACE_SECONDS) -> Answer:
        """@param grace  how much longer than the guest itself the host waits.
        @errors  CommandTimeout when the guest is silent or had to kill the command."""
        self._next_id += 1
        asked = time.monotonic()
        text = base64.b64encode(script.encode()).decode()
        self._send(f"{self._next_id} {max(1, round(timeout))} {text}\n".encode())
        answer = self._answer(str(self._next_id), asked + timeout + grace)
        if answer.status == _KILLED and time.monotonic() - asked >= timeout - 1:
            raise CommandTimeout(f"killed after {timeout:g} s; its output so far:\n{answer.output}")
        return answer

    def _send(self, line: bytes) -> None:
        try:
            self._ours.sendall(line)
        except OSError:  # closed at the guest's end, or here by kill()
            raise LabError("the guest is gone") from None

    def _answer(self, request: str, deadline: float) -> Answer:
        while self._read_line(deadline) != f"LAB {request} begin":
            pass  # the late answer to a request that was given up
        encoded = []
        while not (line := self._read_line(deadline)).startswith(f"LAB {request} end "):
            encoded.append(line)
        status, size = map(int, line.split()[3:])
        return Answer(status, _decode("".join(encoded), size))

    def _read_line(self, deadline: float) -> str:
        while b"\n" not in self._buffer:
            self._fill(deadline)
        line, self._buffer = self._buffer.split(b"\n", 1)
        text = line.decode(errors="replace").strip("\r\0")
        if text.startswith("LAB ready "):
            self.boot_id = text.removeprefix("LAB ready ")
        return text

    def _fill(self, deadline: float) -> None:
        self._ours.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            data = _receive(self._ours)
        except TimeoutError:
            raise CommandTimeout("no answer from the guest") from None
        if not data:
            raise LabError("the guest is gone")
        self._buffer += data


def _decode(text: str, size: int) -> str:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise LabError(f"answer damaged on the way: {error}") from None
    if len(data) != size:
        raise LabError(f"answer damaged on the way: {len(data)} bytes of {size}")
    return data.decode(errors="replace")


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionError:
        return b""
