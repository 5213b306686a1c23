# SPDX-License-Identifier: BSD-3-Clause
"""Huge pages of the host, of 2 MiB, for as long as a test needs them."""

import fcntl
from contextlib import contextmanager
from pathlib import Path

import pytest
from guestlab.guest import MiB

HUGE = 2 * MiB
_POOL = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")


def free_huge_pages() -> int:
    return int((_POOL / "free_hugepages").read_text())


@contextmanager
def huge_pages(amount: int):
    """Makes the host's pool larger by so many bytes, and smaller again. One at a time has it: the
    lock is that of all tests and benches that do this. Skips where the host has none to give."""
    pages = amount // HUGE
    try:
        with open("/proc/sys/vm/nr_hugepages", "r+b", buffering=0) as pool:
            fcntl.flock(pool, fcntl.LOCK_EX)
            before = int(pool.read())
            _resize(pool, before + pages)
            try:
                if _size(pool) < before + pages:
                    pytest.skip(f"the host does not provide {pages} huge pages more")
                yield
            finally:
                _resize(pool, before)
    except PermissionError:
        pytest.skip("only root may ask for huge pages (vm.nr_hugepages)")


def _size(pool) -> int:
    pool.seek(0)
    return int(pool.read())


def _resize(pool, pages: int) -> None:
    pool.seek(0)
    pool.write(b"%d" % pages)
