# SPDX-License-Identifier: BSD-3-Clause
"""Holds memory until its standard input ends.

usage: hold_memory.py BYTES locked|swappable
       hold_memory.py BYTES FILE

Every page is written to, with bytes that no two pages share; of the file, every page is mapped and
read: page cache, of the kind that libraries are. Says "held" when it has it all.
"""

import ctypes
import mmap
import os
import sys


def main() -> None:
    size, kind = int(sys.argv[1]), sys.argv[2]
    memory = _written(size, kind == "locked") if "/" not in kind else _mapped(size, kind)
    print("held", flush=True)
    sys.stdin.buffer.read()
    memory.close()


def _written(size: int, locked: bool) -> mmap.mmap:
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pattern = bytearray(os.urandom(mmap.PAGESIZE))
    for number, offset in enumerate(range(0, size, mmap.PAGESIZE)):
        pattern[:8] = number.to_bytes(8, "little")
        memory[offset : offset + mmap.PAGESIZE] = bytes(pattern)
    if locked:
        _lock(memory, size)
    return memory


def _mapped(size: int, path: str) -> mmap.mmap:
    with open(path, "rb") as file:
        memory = mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)
    for offset in range(0, size, mmap.PAGESIZE):
        memory[offset]
    return memory


def _lock(memory: mmap.mmap, size: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(size)):
        raise OSError(ctypes.get_errno(), f"mlock of {size} bytes")


main()
