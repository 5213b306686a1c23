# SPDX-License-Identifier: BSD-3-Clause
"""A QEMU guest under TCG (no KVM needed) with a kernel of Debian's and memory as memfd."""

from dataclasses import dataclass
from pathlib import Path

from .cache import cache_dir, prepare
from .console import CommandChannel, Console
from .errors import CommandTimeout, LabError
from .guest import Guest, MiB, enter_cgroup, wait_until
from .initrd import initrd_for
from .qmp import Qmp

_PREPARE = Path(__file__).resolve().parents[1] / "prepare-qemu"
_BUILD_MODULE = Path(__file__).resolve().parents[1] / "build-guest-module"
_MODULES = Path(__file__).resolve().parents[2] / "build/guest"
_BALLOON_ID = 5  # VIRTIO 1.2, 5: device id of the traditional memory balloon
_BUILTIN = "virtio-balloon-pci,id=balloon,free-page-reporting={reporting}"
# num_pages, actual, free_page_hint_cmd_id, poison_val: VIRTIO 1.2, 5.5.4.
_VHOST_USER = (
    f"vhost-user-test-device-pci,chardev={{chardev}},virtio-id={_BALLOON_ID}"
    ",num_vqs=5,config_size=16,vq_size=128"
)
_LARGE = (  # docs/device-13.md
    "vhost-user-test-device-pci,chardev={chardev},virtio-id=13,num_vqs=2,config_size=16,vq_size=128"
)


@dataclass(frozen=True)
class Machine:
    """What tools/prepare-qemu has fetched for guests of one architecture, and how QEMU runs them."""

    architecture: str
    folder: str  # in the cache
    program: str
    options: str
    serial: tuple[str, str]  # as the guest's kernel calls them: its console, the command channel
    own_busybox: bool = False  # not this machine's: it is of another architecture


AMD64 = Machine("amd64", "qemu", "qemu-system-x86_64", "-M q35", ("ttyS0", "ttyS1"))
# Pages of 16 KiB, which not all of QEMU's cpus have.
ARM64 = Machine(
    "arm64",
    "qemu-arm64",
    "qemu-system-aarch64",
    "-M virt,gic-version=3,acpi=off -cpu cortex-a76",
    ("ttyAMA0", "ttyAMA1"),
    own_busybox=True,
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
        nodes: int = 1,
        kexec: Path | None = None,
        programs: tuple[Path, ...] = (),
        extra: tuple[str, ...] = (),
        machine: Machine = AMD64,
        cgroup: Path | None = None,
        large: str | None = None,
        stock_too: Path | None = None,
        **options,
    ):
        """@param builtin_balloon  QEMU's own balloon device, for comparisons; not with socket=.
        @param reporting  free page reporting of the builtin device.
        @param huge_pages  of 2 MiB behind the guest's memory; the host's pool has to have them.
        @param nodes      NUMA nodes, of equal size; the cpu is on the first one.
        @param kexec      the program behind kexec(); the guest then has its kernel in /boot.
        @param programs   more of them in the guest's /bin, statically linked.
        @param extra      more arguments for QEMU.
        @param machine    AMD64 or ARM64.
        @param cgroup     folder of the control group in which it runs: what it touches is charged
                          there.
        @param large      the device is a balloon of large pages, and the guest has guest/linux on
                          the kernel of this name: see tools/build-guest-module.
        @param stock_too  with large=: socket of a stock balloon that the guest has as well.
        @param options    see Guest."""
        if builtin_balloon and options.get("socket"):
            raise LabError("a QEMU guest takes a socket or QEMU's own balloon, not both")
        self.builtin_balloon = builtin_balloon
        self.reporting = reporting
        self.huge_pages = huge_pages
        self.nodes = nodes
        self.kexec_program = kexec
        self.programs = programs
        self.extra = extra
        self.machine = machine
        self.cgroup = cgroup
        self.large = large
        self.stock_too = stock_too
        if large:
            self.balloon_module = "virtio_large_balloon"
        self._qmp: Qmp | None = None
        super().__init__(mem=mem, **options)

    def ram_file(self) -> Path:
        return self._find_ram_file(lambda link: link.startswith("/memfd:memory-backend-memfd"))

    def kill(self) -> None:
        self._close_qmp()
        super().kill()

    def _close_qmp(self) -> None:
        if self._qmp is not None:
            self._qmp.close()
            self._qmp = None

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

    def hibernate(self, disk: str, timeout: float = 120) -> None:
        """Has the guest write its memory to a disk and power itself off (S4), and waits until its
        process has ended.
        @param disk  of the guest, for nothing else; its kernel was started with resume=disk."""
        self.sh(f"mkswap {disk} && swapon {disk} && echo shutdown > /sys/power/disk")
        self._send_off("echo disk > /sys/power/state")
        if self.process.wait(timeout) is None:
            raise CommandTimeout(self._explain("hibernate", f"still runs after {timeout:g} s"))

    def wake(self) -> None:
        """Starts the machine again after hibernate(), and waits until the guest has gone on."""
        self._close_qmp()
        self.channel.close()
        self.channel = CommandChannel()
        self.console = Console(self.folder / "console.log")
        self._launch()
        self.console.started()
        # The kernel that loads the memory swallows lines that come before it is done.
        wait_until(self._answers, self.boot_seconds, "a guest that goes on", found=self.console.tail)

    def _answers(self) -> bool:
        try:
            return self.channel.run("true", timeout=1, grace=1).status == 0
        except CommandTimeout:
            return False

    def _kernel_and_initrd(self, root: Path) -> tuple[Path, Path]:
        if self.large:
            return self._kernel_and_initrd_with_module()
        kernel = sorted((root / "boot").glob("vmlinuz-*"))[-1]
        busybox = root / "usr/bin/busybox" if self.machine.own_busybox else None
        return kernel, self._initrd(root, kernel, busybox=busybox)

    def _kernel_and_initrd_with_module(self) -> tuple[Path, Path]:
        prepare("module for the guest", _BUILD_MODULE, self.large)
        root = cache_dir() / f"kernel-{self.large}"
        kernel = sorted((root / "boot").glob("vmlinuz-*"))[-1]
        driver = _MODULES / self.large / f"{self.balloon_module}.ko"
        return kernel, self._initrd(root, kernel, driver=driver, stock_too=bool(self.stock_too))

    def _initrd(self, root: Path, kernel: Path, **more) -> Path:
        modules = root / "usr/lib/modules" / kernel.name.removeprefix("vmlinuz-")
        initrd = initrd_for(modules, self.programs, **more)
        if not self.kexec_program:
            return initrd
        boot = {"vmlinuz": kernel, "initrd": initrd}
        return initrd_for(modules, (self.kexec_program, *self.programs), boot, **more)

    def _command(self) -> list[str]:
        root = prepared_root(self.machine)
        kernel, initrd = self._kernel_and_initrd(root)
        size = f"{self.mem // MiB}M"
        console, channel = self.machine.serial
        arguments = f"console={console} quiet LAB_CHANNEL=/dev/{channel} {self.settings} {self.append}"
        options = (
            f"-accel tcg {self.machine.options} -nodefaults -display none -m {size}"
            f" {self._memory()}"
            f" -chardev socket,id=console,fd={self.console.fileno()} -serial chardev:console"
            f" -chardev socket,id=channel,fd={self.channel.fileno()} -serial chardev:channel"
        )
        command = enter_cgroup(self.cgroup) + qemu_command(root, self.machine)
        command += options.split() + self._device()
        command += ["-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]
        command += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", arguments]
        return command + list(self.extra)

    def _memory(self) -> str:
        huge = ",hugetlb=on,hugetlbsize=2M" if self.huge_pages else ""
        size = f"{self.mem // MiB // self.nodes}M"
        return " ".join(
            f"-object memory-backend-memfd,id=ram{node},size={size},share=on{huge}"
            f" -numa node,nodeid={node},memdev=ram{node}"
            for node in range(self.nodes)
        )

    def _device(self) -> list[str]:
        if self.socket:
            words = _vhost_user(_LARGE if self.large else _VHOST_USER, "balloon", self.socket)
            if self.stock_too:
                words += _vhost_user(_VHOST_USER, "stock", self.stock_too)
            return words
        if self.builtin_balloon:
            return ["-device", _BUILTIN.format(reporting="on" if self.reporting else "off")]
        return []


def empty_disk(folder: Path, size: int) -> tuple[str, ...]:
    """@return  arguments for a guest with a disk, /dev/nvme0n1; all zeroes, and it takes no room."""
    path = folder / "disk"
    with open(path, "wb") as file:
        file.truncate(size)
    drive = f"if=none,id=disk,format=raw,file={path}"
    return "-drive", drive, "-device", "nvme,drive=disk,serial=disk"


def _vhost_user(device: str, chardev: str, socket: Path) -> list[str]:
    path = Path(socket).absolute()
    words = ["-chardev", f"socket,id={chardev},path={path}"]
    return [*words, "-device", device.format(chardev=chardev)]


def prepared_root(machine: Machine = AMD64) -> Path:
    """The folder with QEMU and the guest kernel; fetches them when they are not there."""
    root = cache_dir() / machine.folder
    if not (root / "stamp").exists():
        prepare("QEMU for the guests", _PREPARE, machine.architecture)
    return root


def qemu_command(root: Path, machine: Machine = AMD64) -> list[str]:
    """QEMU out of a foreign root, without chroot: with its own C library and firmware."""
    lib = root / "usr/lib/x86_64-linux-gnu"
    loader = [str(lib / "ld-linux-x86-64.so.2"), "--library-path", str(lib)]
    firmware = ["-L", str(root / "usr/share/qemu"), "-L", str(root / "usr/share/seabios")]
    return loader + [str(root / "usr/bin" / machine.program)] + firmware
