# SPDX-License-Identifier: BSD-3-Clause
"""The host's pool of huge pages of 2 MiB, made larger for as long as somebody needs it."""

import fcntl
from contextlib import contextmanager
from pathlib import Path

from .errors import LabError
from .guest import MiB

HUGE = 2 * MiB
_POOL = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
_SIZE = Path("/proc/sys/vm/nr_hugepages")


class NoHugePages(LabError):
    """The host does not provide them; the text says why."""


def free_huge_pages() -> int:
    return int((_POOL / "free_hugepages").read_text())


@contextmanager
def huge_pages(amount: int):
    """Makes the host's pool larger by so many bytes, and smaller again. One at a time has it: the
    lock is that of all tests, benches and shows that do this. @errors  NoHugePages"""
    pages = amount // HUGE
    try:
        pool = open(_SIZE, "r+b", buffering=0)
    except OSError as error:
        raise NoHugePages(f"only root may ask for huge pages: {error}") from None
    with pool:
        fcntl.flock(pool, fcntl.LOCK_EX)
        before = _size(pool)
        _resize(pool, before + pages)
        try:
            if _size(pool) < before + pages:
                raise NoHugePages(f"the host does not provide {pages} huge pages more")
            yield
        finally:
            _resize(pool, before)


def _size(pool) -> int:
    pool.seek(0)
    return int(pool.read())


def _resize(pool, pages: int) -> None:
    pool.seek(0)
    pool.write(b"%d" % pages)
