# SPDX-License-Identifier: BSD-3-Clause
"""The QEMU Machine Protocol: one JSON object per line, and events in between."""

import json
import socket
import time
from pathlib import Path

from .errors import LabError


class Qmp:
    def __init__(self, path: Path, timeout: float = 10):
        self._socket = _connect(path, timeout)
        self._socket.settimeout(timeout)
        self._lines = self._socket.makefile("rb")
        self._answer()  # the greeting
        self.execute("qmp_capabilities")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def execute(self, command: str, **arguments):
        """@return  what QEMU answers under "return". @errors  LabError with QEMU's own words"""
        request = {"execute": command, "arguments": arguments}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        answer = self._answer()
        if "error" in answer:
            raise LabError(f"QEMU, {command}: {answer['error']['desc']}")
        return answer["return"]

    def _answer(self) -> dict:
        while line := self._lines.readline():
            message = json.loads(line)
            if "event" not in message:
                return message
        raise LabError("QEMU has closed its QMP socket")


def _connect(path: Path, timeout: float) -> socket.socket:
    deadline = time.monotonic() + timeout
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > deadline:
                raise LabError(f"no QEMU listens at {path} after {timeout:g} s") from None
            time.sleep(0.02)
