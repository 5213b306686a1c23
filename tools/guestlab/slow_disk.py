# SPDX-License-Identifier: BSD-3-Clause
"""A file system that is no faster than a hard disk: a file, disk_head.py, which lets each transfer
take its time, and a loop device on what that shows. Takes root and FUSE."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

_IMAGE, _HEAD, _MOUNT = "disk.img", "head", "disk"
_SERVER = Path(__file__).with_name("disk_head.py")


@dataclass(frozen=True)
class Pace:
    """Of a disk with one head, and a write-back cache."""

    rate: int  # bytes a second, both ways
    seek: float  # seconds until the head is somewhere else
    cache: int  # bytes


def missing() -> str:
    """@return  why this machine cannot have one; empty when it can."""
    if importlib.util.find_spec("pyfuse3") is None:
        return "no pyfuse3: install python3-pyfuse3, or run tools/deps guests"
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not Path(device).exists():
            return f"no {device}"
    return "a loop device and a mount take root" if os.geteuid() else ""


def make(folder: Path, size: int, pace: Pace) -> Path:
    """@param size  bytes. @return  where it is mounted, below folder. @post  remove(folder)"""
    image, head, mount = folder / _IMAGE, folder / _HEAD, folder / _MOUNT
    head.mkdir()
    mount.mkdir()
    with open(image, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    # No journal, no lazy work: nothing is to be read or written later that nobody asked for.
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal",
        "-E", "lazy_itable_init=0,nodiscard", image)
    _serve(image, head, pace)
    # Direct, or the machine's own page cache would be a second, faster disk.
    device = run("losetup", "--find", "--show", "--direct-io=on", head / _IMAGE).strip()
    run("mount", "-o", "noatime", device, mount)
    return mount


def remove(folder: Path) -> None:
    """What make() made there, or as much of it as there is. @errors  LabError"""
    head, mount = folder / _HEAD, folder / _MOUNT
    if os.path.ismount(mount):
        run("umount", mount)
    if os.path.ismount(head):
        for line in run("losetup", "--noheadings", "--output", "NAME", "-j", head / _IMAGE).split():
            run("losetup", "--detach", line)
        run("umount", head)  # and with that the server ends


def run(*command) -> str:
    """@return  what it printed. @errors  LabError"""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _serve(image: Path, head: Path, pace: Pace) -> None:
    """It ends with its mount, not with us: who takes the disk down is another process.
    Before anybody else on the machine, for a disk has no need of its cpus."""
    command = ["chrt", "--fifo", "1", sys.executable, "-IB", _SERVER, image, head]
    command += [f"{pace.rate}", f"{pace.seek:g}", f"{pace.cache}"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              start_new_session=True)
    with server.stdout:
        if server.stdout.readline() != b"mounted\n":
            raise LabError(f"{_SERVER.name} could not mount {head}; status {server.wait()}")
