# SPDX-License-Identifier: BSD-3-Clause
"""guestlab: boots small real Linux guests for the tests, the demo and the developer.

Standard library only (but for disk_head.py), Python >= 3.11. The public names:
  UmlGuest   a User Mode Linux guest       (no KVM, no root, boots in about a second)
  QemuGuest  a QEMU guest under TCG        (tools/prepare-qemu fetches it once)
  Daemon     a vballoond in the development profile, with its RPC
  SmallHost  a memory cgroup with a swap file, for guests that shall run out of memory (root)
"""

from .daemon import Daemon
from .errors import CommandFailed, CommandTimeout, LabError, RpcError
from .qemu import QemuGuest
from .small_host import SmallHost
from .uml import UmlGuest

__all__ = [
    "CommandFailed",
    "CommandTimeout",
    "Daemon",
    "LabError",
    "QemuGuest",
    "RpcError",
    "SmallHost",
    "UmlGuest",
]
