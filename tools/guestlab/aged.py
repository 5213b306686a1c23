# SPDX-License-Identifier: BSD-3-Clause
"""A guest on huge pages that has run for long: a program (tests/guest/age.cpp) ages it, in four ways."""

from contextlib import contextmanager
from pathlib import Path

from .daemon import built
from .guest import Guest, MiB
from .qemu import empty_disk

MEM = 768 * MiB
# What each does to a guest of that size. The last one reads a disk, which is emptied again.
STATES = {
    "checker": "age checker 440",
    "mix": "age mix 320",
    "slab": "age slab 64",
    "cache": "age cache 440 /dev/nvme0n1",
}
# What is to stay available to the guest, out of what it says that it could spare.
LEFT = 96 * MiB
_DISK = 512 * MiB


def options(folder: Path) -> dict:
    """Arguments of QemuGuest. @param folder  for the disk, which is all zeroes and takes no room."""
    return {
        "mem": MEM,
        "huge_pages": True,
        "large": "6.12",
        "programs": (built("age", "tests"),),
        "extra": empty_disk(folder, _DISK),
    }


@contextmanager
def aged(guest: Guest, state: str):
    """The guest in that state; afterwards it is as it was."""
    guest.sh(STATES[state], timeout=240)
    try:
        yield
    finally:
        guest.sh("killall age; rm -rf /tmp/age; echo 3 > /proc/sys/vm/drop_caches", timeout=60)
