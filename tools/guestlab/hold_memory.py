# SPDX-License-Identifier: BSD-3-Clause
"""Holds memory until its standard input ends.

usage: hold_memory.py BYTES locked|swappable

Every page is written to, with bytes that no two pages share. Says "held" when it has it all.
"""

import ctypes
import mmap
import os
import sys


def main() -> None:
    size, kind = int(sys.argv[1]), sys.argv[2]
    memory = mmap.mmap(-1, size)
    pattern = bytearray(os.urandom(mmap.PAGESIZE))
    for number, offset in enumerate(range(0, size, mmap.PAGESIZE)):
        pattern[:8] = number.to_bytes(8, "little")
        memory[offset : offset + mmap.PAGESIZE] = bytes(pattern)
    if kind == "locked":
        _lock(memory, size)
    print("held", flush=True)
    sys.stdin.buffer.read()


def _lock(memory: mmap.mmap, size: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(size)):
        raise OSError(ctypes.get_errno(), f"mlock of {size} bytes")


main()
