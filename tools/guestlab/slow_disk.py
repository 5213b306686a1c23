# SPDX-License-Identifier: BSD-3-Clause
"""A file system that is no faster than a hard disk: a file, a loop device, and the kernel's limit
on that device's transfers. Takes root, and control groups of version 1, whose root group has
limits."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

_LIMITS = Path("/sys/fs/cgroup/blkio")
_IMAGE, _MOUNT = "disk.img", "disk"


@dataclass(frozen=True)
class Pace:
    """Bytes a second, each way."""

    read: int
    written: int


def missing() -> str:
    """@return  why this machine cannot have one; empty when it can."""
    if not _file("read").exists():
        return f"no limit of transfers in {_LIMITS}: control groups of version 1 have one"
    if not Path("/dev/loop-control").exists():
        return "no loop devices"
    return "a loop device and a mount take root" if os.geteuid() else ""


def make(folder: Path, size: int, pace: Pace) -> Path:
    """@param size  bytes. @return  where it is mounted, below folder. @post  remove(folder)"""
    image, mount = folder / _IMAGE, folder / _MOUNT
    mount.mkdir()
    with open(image, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    # No journal, no lazy work: nothing is to be read or written later that nobody asked for.
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal",
        "-E", "lazy_itable_init=0,nodiscard", image)
    # Direct, or the machine's own page cache would be a second, faster disk.
    device = Path(run("losetup", "--find", "--show", "--direct-io=on", image).strip())
    _limit(device, pace)
    run("mount", "-o", "noatime", device, mount)
    return mount


def remove(folder: Path) -> None:
    """What make() made there, or as much of it as there is. @errors  LabError"""
    if not (folder / _IMAGE).exists():
        return
    if os.path.ismount(folder / _MOUNT):
        run("umount", folder / _MOUNT)
    for line in run("losetup", "--noheadings", "--output", "NAME", "-j", folder / _IMAGE).split():
        _limit(Path(line), Pace(0, 0))
        run("losetup", "--detach", line)


def run(*command) -> str:
    """@return  what it printed. @errors  LabError"""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _file(way: str) -> Path:
    return _LIMITS / f"blkio.throttle.{way}_bps_device"


def _limit(device: Path, pace: Pace) -> None:
    """0: none."""
    number = os.stat(device).st_rdev
    for way, most in (("read", pace.read), ("write", pace.written)):
        _file(way).write_text(f"{os.major(number)}:{os.minor(number)} {most}")
