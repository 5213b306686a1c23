# SPDX-License-Identifier: BSD-3-Clause
"""Shows a file as a hard disk would: one head, and a write-back cache in front of it.

usage: disk_head.py FILE FOLDER BYTES_A_SECOND SEEK_SECONDS CACHE_BYTES

FOLDER becomes a file system (FUSE) with one file, of the same name and contents. The head makes one
transfer after the other. One that goes on where the last one ended costs its bytes; one that lies a
little ahead is waited for until it comes by; any other costs a seek. Writes are answered once they
are in the cache, as long as it has room, and reads of what is there at once. The head makes reads
first, the nearest of them; it writes when nobody has read for a moment, or, when the cache is full,
after every second read.
Says "mounted", and ends when FOLDER is unmounted.
"""

import errno
import os
import stat
import sys
from dataclasses import dataclass, field

import pyfuse3
import trio

_FILE = pyfuse3.ROOT_INODE + 1
_READS = 2  # while the cache is full, before a run of writes
_LONGEST_RUN = 16  # writes that go on where the last one ended, before reads have their turn
# Who reads often reads again at once: the head waits for that before it goes elsewhere to write, as
# Linux's schedulers for such disks do (CFQ's slice_idle).
_IDLE = 0.008


@dataclass
class Transfer:
    writes: bool
    offset: int
    size: int
    made: trio.Event = field(default_factory=trio.Event)

    def covers(self, other: "Transfer") -> bool:
        end, other_end = self.offset + self.size, other.offset + other.size
        return self.offset <= other.offset and other_end <= end


class Head:
    """Decides whose turn it is and how long that takes."""

    def __init__(self, rate: float, seek: float, cache: int):
        """@param rate  bytes a second. @param seek  seconds until the head is somewhere else.
        @param cache  bytes of writes that it has not made yet and nobody waits for."""
        self._rate = rate
        self._seek = seek
        self._cache = cache
        self._unwritten = 0
        self._at = 0
        self._reads = 0  # since the last write
        self._run = 0  # writes since the last read
        self._waiting: list[Transfer] = []
        self._asked = trio.Event()
        self._room = trio.Event()  # another one after each write

    async def read(self, offset: int, size: int) -> None:
        transfer = Transfer(False, offset, size)
        if not any(other.writes and other.covers(transfer) for other in self._waiting):
            self._ask(transfer)
            await transfer.made.wait()

    async def write(self, offset: int, size: int) -> None:
        self._unwritten += size
        self._ask(Transfer(True, offset, size))
        while self._full():
            await self._room.wait()

    def _ask(self, transfer: Transfer) -> None:
        self._waiting.append(transfer)
        self._asked.set()

    def _full(self) -> bool:
        return self._unwritten > self._cache

    async def work(self) -> None:
        """Time that the machine itself takes is none of the disk's: the next transfer begins when
        the last one should have ended."""
        free_at = 0.0
        while True:
            while not self._waiting:
                self._asked = trio.Event()
                await self._asked.wait()
            await self._idle()
            transfer = self._next()
            free_at = max(free_at, trio.current_time()) + self._take(transfer)
            await trio.sleep_until(free_at)
            transfer.made.set()
            if transfer.writes:
                self._unwritten -= transfer.size
                self._room.set()
                self._room = trio.Event()

    async def _idle(self) -> None:
        with trio.move_on_after(_IDLE):
            while self._reads and not self._full() and all(one.writes for one in self._waiting):
                self._asked = trio.Event()
                await self._asked.wait()

    def _next(self) -> Transfer:
        reads = [transfer for transfer in self._waiting if not transfer.writes]
        writes = [transfer for transfer in self._waiting if transfer.writes]
        if reads and not (writes and self._has_to_write(writes)):
            chosen = min(reads, key=self._cost)
            self._reads, self._run = self._reads + 1, 0
        else:
            chosen = min(writes, key=self._cost)
            self._reads, self._run = 0, self._run + 1
        self._waiting.remove(chosen)
        return chosen

    def _has_to_write(self, writes: list[Transfer]) -> bool:
        """Although there are reads."""
        if not self._full():
            return False
        if self._run:
            return self._run < _LONGEST_RUN and min(map(self._cost, writes)) == 0
        return self._reads >= _READS

    def _take(self, transfer: Transfer) -> float:
        """@return  seconds."""
        cost = self._cost(transfer)
        self._at = transfer.offset + transfer.size
        return cost + transfer.size / self._rate

    def _cost(self, transfer: Transfer) -> float:
        """@return  seconds until the head is there."""
        ahead = (transfer.offset - self._at) / self._rate
        return ahead if 0 <= ahead < self._seek else self._seek


class Disk(pyfuse3.Operations):
    def __init__(self, path: str, head: Head):
        super().__init__()
        self._name = os.path.basename(path).encode()
        self._fd = os.open(path, os.O_RDWR)
        self._head = head

    async def lookup(self, parent, name, ctx=None):
        if parent != pyfuse3.ROOT_INODE or name != self._name:
            raise pyfuse3.FUSEError(errno.ENOENT)
        return await self.getattr(_FILE)

    async def getattr(self, inode, ctx=None):
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = inode
        if inode == _FILE:
            entry.st_mode = stat.S_IFREG | 0o600
            entry.st_size = os.fstat(self._fd).st_size
        else:
            entry.st_mode = stat.S_IFDIR | 0o700
        return entry

    async def open(self, inode, flags, ctx):
        return pyfuse3.FileInfo(fh=_FILE, direct_io=True)

    async def read(self, fh, offset, size):
        await self._head.read(offset, size)
        return os.pread(self._fd, size, offset)

    async def write(self, fh, offset, data):
        written = os.pwrite(self._fd, data, offset)
        await self._head.write(offset, written)
        return written

    async def fsync(self, fh, datasync):
        """What was written is as far as it gets: the contents need not survive this machine."""


async def serve(path: str, folder: str, rate: float, seek: float, cache: int) -> None:
    head = Head(rate, seek, cache)
    pyfuse3.init(Disk(path, head), folder, {*pyfuse3.default_options, "fsname=hard-disk"})
    print("mounted", flush=True)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(head.work)
            await pyfuse3.main()
            nursery.cancel_scope.cancel()
    finally:
        pyfuse3.close(unmount=False)


if __name__ == "__main__":
    trio.run(serve, *sys.argv[1:3], *map(float, sys.argv[3:5]), int(sys.argv[5]))
