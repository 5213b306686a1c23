# SPDX-License-Identifier: BSD-3-Clause
"""The ways in which the lab fails. Each message names the thing, the value and the way out."""


class LabError(Exception):
    """Something on the host's side: a missing package, a guest that does not boot."""


class CommandFailed(LabError):
    """A command in the guest ended with a status other than 0."""


class CommandTimeout(LabError):
    """A command in the guest, or the guest itself, did not answer in time."""


class RpcError(LabError):
    """The daemon answered with a JSON-RPC error object."""

    def __init__(self, method: str, code: int, message: str):
        super().__init__(f"{method}: {message} (code {code})")
        self.method = method
        self.code = code
        self.message = message
