# SPDX-License-Identifier: BSD-3-Clause
"""A User Mode Linux guest: a Linux kernel as an ordinary process, with a vhost-user front end."""

import os
import shutil
from pathlib import Path

from .cache import cache_dir, prepare
from .errors import LabError
from .guest import Guest, MiB, enter_cgroup
from .initrd import initrd_for

_MODULES = Path("/usr/lib/uml/modules")
_PREPARE = Path(__file__).resolve().parents[1] / "prepare-uml"
_BALLOON_ID = 5  # VIRTIO 1.2, 5: device id of the traditional memory balloon


class UmlGuest(Guest):
    kind = "uml"
    boot_seconds = 30.0

    def __init__(
        self,
        *,
        mem: int = 256 * MiB,
        tmpdir: str | Path = "/dev/shm",
        programs: tuple[Path, ...] = (),
        swap: Path | None = None,
        cgroup: Path | None = None,
        cpu: int | None = None,
        newest: bool = False,
        **options,
    ):
        """@param tmpdir   where UML keeps its RAM file; a tmpfs makes it memory and not disk.
        @param programs  statically linked ones that the guest shall have in /bin.
        @param swap     a file that the guest swaps to.
        @param cgroup   folder of the control group in which it runs: what it writes to is charged
                        there, its RAM file included.
        @param cpu      of the host's, that it stays on. Its processes take turns: on several cpus
                        each turn has to wake an idle one, and a program is less than half as fast.
        @param newest   the kernel that tools/prepare-uml fetches, not the installed one.
        @param options  see Guest."""
        self.newest = newest
        self.tmpdir = Path(tmpdir).resolve()
        self.programs = programs
        self.swap = swap
        self.cgroup = cgroup
        self.cpu = cpu
        super().__init__(mem=mem, **options)
        if swap:
            self.sh("mkswap /dev/ubda && swapon /dev/ubda")

    def ram_file(self) -> Path:
        # It never had a name, or lost it at once: "/dev/shm/#6 (deleted)".
        return self._find_ram_file(
            lambda link: link.startswith(f"{self.tmpdir}/") and link.endswith(" (deleted)")
        )

    def _command(self) -> list[str]:
        kernel, modules = _fetched() if self.newest else _installed()
        initrd = initrd_for(_modules(modules), self.programs)
        command = [*enter_cgroup(self.cgroup), *self._stay_on_cpu(), *kernel]
        command += [f"mem={self.mem // MiB}M", f"initrd={initrd}", "rdinit=/init"]
        command += ["root=/dev/ram0", "quiet", f"uml_dir={self.folder}"]
        command += ["con0=fd:0,fd:1", "con=null", *self._channel(), *self._device()]
        command += [f"ubd0={self.swap}"] if self.swap else []
        return command + self.settings.split() + self.append.split()

    def _stay_on_cpu(self) -> list[str]:
        return [] if self.cpu is None else ["taskset", "--cpu-list", str(self.cpu)]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.tmpdir)}

    def _device(self) -> list[str]:
        return (
            [f"virtio_uml.device={Path(self.socket).absolute()}:{_BALLOON_ID}"]
            if self.socket
            else []
        )

    def _channel(self) -> list[str]:
        fd = self.channel.fileno()
        return [f"ssl0=fd:{fd},fd:{fd}", "ssl=null", "LAB_CHANNEL=/dev/ttyS0"]


def _installed() -> tuple[list[str], Path]:
    kernel = shutil.which("linux.uml") or shutil.which("linux")
    if not kernel:
        raise LabError(
            "no linux.uml on this machine: install user-mode-linux, or run tools/deps guests"
        )
    return [kernel], _MODULES


def _fetched() -> tuple[list[str], Path]:
    """It finds its dynamic linker in the folder where it is started: tools/prepare-uml says why."""
    folder = cache_dir() / "uml"
    if not (folder / "stamp").exists():
        prepare("new User Mode Linux", _PREPARE)
    start = 'cd "$0" && LD_LIBRARY_PATH=. exec ./linux.uml "$@"'
    return ["/bin/sh", "-c", start, str(folder)], folder / "modules"


def _modules(folder: Path) -> Path:
    """The modules of the kernel; the newest, should there be several."""
    found = sorted(path for path in folder.glob("*") if path.is_dir())
    if not found:
        raise LabError(
            f"no kernel modules in {folder}: install user-mode-linux, or run tools/deps guests"
        )
    return found[-1] / "kernel" / "drivers"
