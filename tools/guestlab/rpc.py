# SPDX-License-Identifier: BSD-3-Clause
"""JSON-RPC 2.0 over a UNIX socket, one object per line."""

import json
import socket
from pathlib import Path

from .errors import LabError, RpcError


class RpcClient:
    """One connection, one request at a time. A lost connection is opened anew by the next call."""

    def __init__(self, path: Path, timeout: float = 30):
        self.path = path
        self.timeout = timeout
        self._socket: socket.socket | None = None
        self._lines = None
        self._next_id = 0

    def call(self, method: str, **params):
        """@return  the result.
        @errors  RpcError: the daemon's answer; OSError, LabError: no daemon."""
        self._next_id += 1
        request = {"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params}
        try:
            answer = self._exchange(request)
        except BaseException:
            self.close()  # whatever comes later on this connection is no answer to us
            raise
        if "error" in answer:
            raise RpcError(method, answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    def close(self) -> None:
        if self._socket is not None:
            self._lines.close()
            self._socket.close()
            self._socket = None

    def _exchange(self, request: dict) -> dict:
        if self._socket is None:
            self._open()
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while line := self._lines.readline():
            answer = json.loads(line)
            if answer.get("id") == request["id"]:
                return answer
        raise LabError(f"{self.path}: the daemon closed the connection during {request['method']}")

    def _open(self) -> None:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self.timeout)
        try:
            connection.connect(str(self.path))
        except OSError:
            connection.close()
            raise
        self._socket = connection
        self._lines = connection.makefile("rb")
