# SPDX-License-Identifier: BSD-3-Clause
"""Builds the initrd of a guest: busybox, the balloon driver and init.sh. Kept by content."""

import hashlib
from pathlib import Path

from . import cpio, modules
from .cache import cache_dir, write_whole
from .errors import LabError

_INIT = Path(__file__).with_name("init.sh")
_BUSYBOX = Path("/usr/bin/busybox"), Path("/bin/busybox")
_FOLDERS = ("bin", "boot", "dev", "lib", "lib/modules", "proc", "run", "sys", "tmp")


def initrd_for(
    modules_folder: Path,
    programs: tuple[Path, ...] = (),
    boot: dict[str, Path] | None = None,
    busybox: Path | None = None,
    driver: Path | None = None,
    stock_too: bool = False,
) -> Path:
    """@param modules_folder  holds the guest kernel's modules, at any depth.
    @param programs  statically linked; they are in /bin of the guest.
    @param boot      files of the guest's /boot, by their name there.
    @param busybox   of the guest's architecture, statically linked; None: this machine's.
    @param driver    a module of the balloon's that is not in the folder; None: virtio_balloon.
    @param stock_too  virtio_balloon beside it.
    @return  path of an initrd whose init loads the driver and serves the command channel."""
    tools = busybox.read_bytes() if busybox else _static_busybox()
    drivers = _drivers(modules_folder, driver, stock_too)
    data = _build(drivers, programs, boot or {}, tools)
    path = cache_dir() / f"initrd-{hashlib.sha256(data).hexdigest()[:16]}.cpio"
    if not path.exists():
        write_whole(path, data)
    return path


def _build(
    drivers: list[tuple[str, bytes]],
    programs: tuple[Path, ...],
    boot: dict[str, Path],
    busybox: bytes,
) -> bytes:
    archive = cpio.Archive()
    for folder in _FOLDERS:
        archive.folder(folder)
    # The kernel opens /dev/console for init before anything is mounted.
    archive.char_device("dev/console", 5, 1)
    archive.file("bin/busybox", busybox, 0o755)
    archive.link("bin/sh", "busybox")
    for program in programs:
        archive.file(f"bin/{program.name}", program.read_bytes(), 0o755)
    for name, file in boot.items():
        archive.file(f"boot/{name}", file.read_bytes())
    archive.file("init", _INIT.read_bytes(), 0o755)
    names = []
    for name, data in drivers:
        archive.file(f"lib/modules/{name}.ko", data)
        names.append(name)
    archive.file("lib/modules/order", "".join(f"{name}\n" for name in names).encode())
    return archive.finish()


def _drivers(folder: Path, driver: Path | None, stock_too: bool) -> list[tuple[str, bytes]]:
    """@return  names and contents, in the order in which they are to be loaded."""
    if driver is None:
        return modules.closure(folder, "virtio_balloon")
    # The bus of the device may be a module as well: Linux 6.1 of Debian 12.
    has_bus = any(folder.rglob("virtio_pci.ko*"))
    bus = modules.closure(folder, "virtio_pci") if has_bus else []
    stock = modules.closure(folder, "virtio_balloon") if stock_too else []
    # Both may need the same ones.
    return list(dict([*bus, *stock, (driver.stem, driver.read_bytes())]).items())


def _static_busybox() -> bytes:
    for path in _BUSYBOX:
        if path.exists():
            data = path.read_bytes()
            # A dynamically linked one names its loader, and the guest has none.
            if b"ld-linux-x86-64" not in data[:4096]:
                return data
    raise LabError(
        "no static busybox on this machine: install busybox-static, or run tools/deps guests"
    )
