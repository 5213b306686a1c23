# SPDX-License-Identifier: BSD-3-Clause
"""A newc cpio archive in memory, the format of an initrd.

Written here and not by cpio(1), which needs root to archive the node /dev/console.
Source: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
"""

import stat

_TRAILER = "TRAILER!!!"


class Archive:
    def __init__(self):
        self._parts: list[bytes] = []
        self._inode = 0

    def folder(self, name: str) -> None:
        self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name: str, target: str) -> None:
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def char_device(self, name: str, major: int, minor: int) -> None:
        self._entry(name, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def finish(self) -> bytes:
        self._entry(_TRAILER, 0)
        return b"".join(self._parts)

    def _entry(self, name: str, mode: int, data: bytes = b"", rdev=(0, 0)) -> None:
        self._inode += 1
        path = name.encode() + b"\0"
        # inode mode uid gid nlink mtime size devmajor devminor rdevmajor rdevminor namesize check
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(path), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self._parts.append(_padded(header + path))
        self._parts.append(_padded(data))


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
