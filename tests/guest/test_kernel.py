# SPDX-License-Identifier: BSD-3-Clause
"""What the next daemon relies on, under the oldest kernel that it runs on: Debian 12's, as a guest.
The machine that runs the tests may have any."""

import pytest

from guestlab import UmlGuest
from guestlab.daemon import built
from guestlab.guest import MiB


@pytest.fixture
def oldest_kernel():
    """A guest whose root, for a command under `chroot /host`, is that of this machine."""
    guest = UmlGuest(socket=None, mem=512 * MiB)
    try:
        guest.sh("mkdir /host && mount -t hostfs -o / none /host")
        guest.sh("mount -t tmpfs none /host/dev/shm && mount -t proc none /host/proc")
        yield guest
    finally:
        guest.kill()


def test_a_message_is_answered_exactly_once_under_linux_6_1(oldest_kernel):
    assert oldest_kernel.sh("uname -r").startswith("6.1.")
    program = built("unit-keep", "tests/unit/keep")
    status, output = oldest_kernel.run(
        f"TMPDIR=/dev/shm VBALLOON_KEEP_KILLS=300 chroot /host {program} --gtest_filter='ExactlyOnce*:*Exchange*'",
        timeout=200,
    )
    assert status == 0, output
    assert "[  PASSED  ] 15 tests." in output, output
