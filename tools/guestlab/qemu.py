# SPDX-License-Identifier: BSD-3-Clause
"""A QEMU guest under TCG (no KVM needed) with Debian's cloud kernel and memory as memfd."""

import os
import subprocess
from pathlib import Path

from .cache import cache_dir
from .errors import LabError
from .guest import Guest, MiB
from .initrd import initrd_for
from .qmp import Qmp

_PREPARE = Path(__file__).resolve().parents[1] / "prepare-qemu"
_BALLOON_ID = 5  # VIRTIO 1.2, 5: device id of the traditional memory balloon
_BUILTIN = "virtio-balloon-pci,id=balloon,free-page-reporting={reporting}"
# num_pages, actual, free_page_hint_cmd_id, poison_val: VIRTIO 1.2, 5.5.4.
_VHOST_USER = (
    f"vhost-user-test-device-pci,chardev=balloon,virtio-id={_BALLOON_ID}"
    ",num_vqs=5,config_size=16,vq_size=128"
)


class QemuGuest(Guest):
    kind = "qemu"
    boot_seconds = 90.0

    def __init__(
        self,
        *,
        mem: int = 256 * MiB,
        builtin_balloon: bool = False,
        reporting: bool = False,
        huge_pages: bool = False,
        kexec: Path | None = None,
        extra: tuple[str, ...] = (),
        **options,
    ):
        """@param builtin_balloon  QEMU's own balloon device, for comparisons; not with socket=.
        @param reporting  free page reporting of the builtin device.
        @param huge_pages  of 2 MiB behind the guest's memory; the host's pool has to have them.
        @param kexec      the program behind kexec(); the guest then has its kernel in /boot.
        @param extra      more arguments for QEMU.
        @param options    see Guest."""
        if builtin_balloon and options.get("socket"):
            raise LabError("a QEMU guest takes a socket or QEMU's own balloon, not both")
        self.builtin_balloon = builtin_balloon
        self.reporting = reporting
        self.huge_pages = huge_pages
        self.kexec_program = kexec
        self.extra = extra
        self._qmp: Qmp | None = None
        super().__init__(mem=mem, **options)

    def ram_file(self) -> Path:
        return self._find_ram_file(lambda link: link.startswith("/memfd:memory-backend-memfd"))

    def kill(self) -> None:
        if self._qmp is not None:
            self._qmp.close()
            self._qmp = None
        super().kill()

    def qmp(self, command: str, **arguments):
        """Runs one QMP command. @return  its answer. @errors  LabError"""
        if self._qmp is None:
            self._qmp = Qmp(self.folder / "qmp")
        return self._qmp.execute(command, **arguments)

    def hard_reset(self) -> None:
        """The reset button: the guest is not asked. Waits until it serves commands again."""
        self.qmp("system_reset")
        self._wait_booted()

    def kexec(self, append: str) -> None:
        """Starts the guest's kernel anew out of the running one, which tells no device. Waits
        until the new one serves commands; that one has no kernel in /boot.
        @param append  more arguments for it."""
        arguments = f"{self.sh('cat /proc/cmdline').strip()} {append}"
        program = f"/bin/{self.kexec_program.name}"
        self._send_off(f"{program} /boot/vmlinuz /boot/initrd '{arguments}'")
        self._wait_booted()

    def _kernel_and_initrd(self, root: Path) -> tuple[Path, Path]:
        kernel = sorted((root / "boot").glob("vmlinuz-*"))[-1]
        modules = root / "usr/lib/modules" / kernel.name.removeprefix("vmlinuz-")
        initrd = initrd_for(modules)
        if self.kexec_program:
            boot = {"vmlinuz": kernel, "initrd": initrd}
            initrd = initrd_for(modules, (self.kexec_program,), boot)
        return kernel, initrd

    def _command(self) -> list[str]:
        root = prepared_root()
        kernel, initrd = self._kernel_and_initrd(root)
        size = f"{self.mem // MiB}M"
        arguments = f"console=ttyS0 quiet LAB_CHANNEL=/dev/ttyS1 {self.settings} {self.append}"
        huge = ",hugetlb=on,hugetlbsize=2M" if self.huge_pages else ""
        options = (
            f"-accel tcg -M q35 -nodefaults -display none -m {size}"
            f" -object memory-backend-memfd,id=ram,size={size},share=on{huge} -numa node,memdev=ram"
            f" -chardev socket,id=console,fd={self.console.fileno()} -serial chardev:console"
            f" -chardev socket,id=channel,fd={self.channel.fileno()} -serial chardev:channel"
        )
        command = qemu_command(root) + options.split() + self._device()
        command += ["-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]
        command += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", arguments]
        return command + list(self.extra)

    def _device(self) -> list[str]:
        if self.socket:
            path = Path(self.socket).absolute()
            return ["-chardev", f"socket,id=balloon,path={path}", "-device", _VHOST_USER]
        if self.builtin_balloon:
            return ["-device", _BUILTIN.format(reporting="on" if self.reporting else "off")]
        return []


def prepared_root() -> Path:
    """The folder with QEMU and the guest kernel; fetches them when they are not there."""
    root = cache_dir() / "qemu"
    if not (root / "stamp").exists():
        environment = {**os.environ, "VBALLOON_CACHE": str(cache_dir())}
        if subprocess.run([_PREPARE], env=environment).returncode:
            raise LabError(f"no QEMU for the guests: {_PREPARE} failed, see what it said above")
    return root


def qemu_command(root: Path) -> list[str]:
    """QEMU out of a foreign root, without chroot: with its own C library and firmware."""
    lib = root / "usr/lib/x86_64-linux-gnu"
    loader = [str(lib / "ld-linux-x86-64.so.2"), "--library-path", str(lib)]
    firmware = ["-L", str(root / "usr/share/qemu"), "-L", str(root / "usr/share/seabios")]
    return loader + [str(root / "usr/bin/qemu-system-x86_64")] + firmware
