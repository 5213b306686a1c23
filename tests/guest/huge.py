# SPDX-License-Identifier: BSD-3-Clause
"""Huge pages of the host for a test, which is skipped where the host has none to give."""

from contextlib import contextmanager

import pytest
from guestlab import huge_pages as host
from guestlab.huge_pages import HUGE, free_huge_pages  # noqa: F401


@contextmanager
def huge_pages(amount: int):
    """@param amount  bytes more, for as long as the test lasts."""
    pool = host.huge_pages(amount)
    try:
        pool.__enter__()
    except host.NoHugePages as error:
        pytest.skip(str(error))
    try:
        yield
    finally:
        pool.__exit__(None, None, None)
