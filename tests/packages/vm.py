# SPDX-License-Identifier: BSD-3-Clause
"""A VM, as vballoon-driver plays it. It does not know how to connect again."""

import re

SOCKET = "/run/vballoon/vm1.sock"
COMMAND = ["vballoon-driver", "--socket", SOCKET, "--mem", "64M", "--canaries", "--timeout", "10"]
TURN = ["inflate:16M", "pause:0.2", "deflate:8M", "pause:0.1", "deflate:all"]


def expect_unharmed(said: str):
    """All pages that were not in the balloon are as they were, by what the driver printed."""
    changed = re.findall(r"(\d+) pages checked, (\d+) changed", said)
    assert changed and {number for _, number in changed} == {"0"}, said
