# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the real-guest tests. A guest that cannot boot is a failure, never a skip."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from guestlab import Daemon, aged  # noqa: E402
from guestlab.cache import cache_dir, prepare  # noqa: E402
from guestlab.daemon import built  # noqa: E402
from guestlab.guest import MiB  # noqa: E402
from guestlab.qemu import empty_disk  # noqa: E402
from huge import huge_pages  # noqa: E402
from lab import GUEST_BYTES, Lab  # noqa: E402

_labs: list[Lab] = []  # alive ones, for what a failed test has to say


@pytest.fixture(scope="module")
def folder():
    """A short path: that of a UNIX socket has at most 107 bytes, and pytest's own is long."""
    path = Path(tempfile.mkdtemp(prefix="vbt-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def promtool():
    """Prometheus' checker; Prometheus itself is beside it."""
    prepare("Prometheus", Path(__file__).resolve().parents[2] / "tools/prepare-prometheus")
    return cache_dir() / "prometheus/usr/bin/promtool"


@pytest.fixture(scope="module", params=["uml", "qemu"])
def shared_lab(request, folder):
    """A daemon with one device and one booted guest, for all tests of a module. Under User Mode Linux
    its rings are packed, which every guest takes where they are offered; under QEMU split."""
    yield from _running(request.param, folder, packed=request.param == "uml")


@pytest.fixture
def lab(shared_lab):
    """The shared lab as a test wants to find it: driver up, balloon empty, tmpfs empty."""
    if shared_lab.suspect:
        shared_lab.renew()
    shared_lab.tidy()
    return shared_lab


@pytest.fixture
def uml_lab():
    """A daemon and a User Mode Linux guest that the test may break."""
    yield from _own_lab("uml")


@pytest.fixture(params=["installed", "newest", "newest-refuses"])
def each_uml_lab(request):
    """The User Mode Linux of Debian 12 and the newest there is (tools/prepare-uml); that one also
    where it is offered a feature which its driver refuses."""
    keys = "indirect = true" if request.param == "newest-refuses" else ""
    newest = request.param != "installed"
    yield from _own_lab("uml", mem=512 * MiB, newest=newest, keys=keys)


@pytest.fixture
def large_uml_lab():
    """The newest User Mode Linux with 1 GiB, of which the host provides little: its inflate takes a
    while. That of Debian 12 panics now and then where its kernel warns of a backend that is gone
    (vu_interrupt() of virtio_uml.c, within the send of a message)."""
    yield from _own_lab("uml", mem=1024 * MiB, newest=True)


@pytest.fixture
def qemu_lab():
    """A daemon and a QEMU guest that the test may break."""
    yield from _own_lab("qemu")


@pytest.fixture
def clearing_qemu_lab():
    """A QEMU guest that clears its free pages, on a device that lets it say so."""
    yield from _own_lab("qemu", keys="page_poison = true", append="init_on_free=1")


@pytest.fixture
def growing_qemu_lab():
    """A QEMU guest with a slot for more memory."""
    yield from _own_lab("qemu", extra=("-m", "slots=1,maxmem=1G"))


@pytest.fixture
def kexec_qemu_lab():
    """A QEMU guest that can start another kernel."""
    yield from _own_lab("qemu", kexec=built("kexec", "tests"))


@pytest.fixture
def arm64_lab():
    """A QEMU guest of another architecture, with pages of 16 KiB."""
    yield from _own_lab("arm64")


@pytest.fixture
def huge_qemu_lab():
    """A QEMU guest on huge pages, of a pool that is its own for as long as it lives."""
    with huge_pages(GUEST_BYTES["qemu"]):
        yield from _own_lab("qemu", huge_pages=True)


@pytest.fixture(params=["uml", "qemu"])
def kept_lab(request):
    """A guest whose daemon is started again by vballoon-keeper, and whose VMM cannot reconnect."""
    yield from _own_lab(request.param, kept=True)


_LARGE = 'kind = "large"\npage_sizes = "4K,2M"\neffort = 2'
_WHOLE = 'kind = "large"\npage_sizes = "2M"\neffort = 2'


@pytest.fixture(scope="module")
def shared_large_lab():
    """A QEMU guest with the driver of guest/linux, and the balloon of large pages."""
    yield from _own_lab("qemu", keys=_LARGE, large="6.12")


@pytest.fixture
def large_lab(shared_large_lab):
    """The shared one as a test wants to find it."""
    if shared_large_lab.suspect:
        shared_large_lab.renew()
    shared_large_lab.tidy()
    return shared_large_lab


@pytest.fixture
def second_node_lab():
    """One with two nodes, whose balloon has pages of the second one only: no cpu is there."""
    yield from _own_lab("qemu", keys=f"{_LARGE}\nnode = \"1\"", large="6.12", nodes=2)


@pytest.fixture
def movable_large_lab():
    """One of which a whole memory block is movable, so the guest can do without it: with KASLR the
    kernel itself may lie there."""
    append = "movablecore=300M nokaslr"
    yield from _own_lab("qemu", mem=512 * MiB, keys=_LARGE, large="6.12", append=append)


@pytest.fixture
def kexec_large_lab():
    """One that can start another kernel."""
    yield from _own_lab("qemu", keys=_LARGE, large="6.12", kexec=built("kexec", "tests"))


@pytest.fixture
def giant_large_lab():
    """One with pages of 1 GiB. QEMU puts 4 GiB of its memory above the fourth GiB. `nokaslr` keeps
    the kernel out of there, and `init_on_alloc=0` spares the time to clear each page."""
    keys = 'kind = "large"\npage_sizes = "1G"\neffort = 2'
    append = "movablecore=4G nokaslr init_on_alloc=0"
    yield from _own_lab("qemu", mem=6144 * MiB, keys=keys, large="6.12", append=append)


@pytest.fixture
def hibernating_large_lab(folder):
    """One with a disk that keeps its memory while it is off."""
    disk = empty_disk(folder, 512 * MiB)
    append = "resume=/dev/nvme0n1"
    yield from _own_lab("qemu", keys=_LARGE, large="6.12", append=append, extra=disk)


@pytest.fixture(params=["6.1", "newest"])
def each_large_lab(request):
    """The same on the other kernels that tools/build-guest-module builds for."""
    yield from _own_lab("qemu", keys=_LARGE, large=request.param)


@pytest.fixture
def huge_large_lab():
    """The same on huge pages, of which it gives whole ones only."""
    with huge_pages(GUEST_BYTES["qemu"]):
        yield from _own_lab("qemu", keys=_WHOLE, huge_pages=True, large="6.12")


@pytest.fixture(scope="module")
def aging_lab(folder):
    """A larger one on huge pages, with a program that ages it and a disk."""
    with huge_pages(aged.MEM):
        for lab in _own_lab("qemu", keys=_WHOLE, **aged.options(folder)):
            lab.guest.touch_memory(spare=64 * MiB)  # the host has all of it to get back
            yield lab


@pytest.fixture
def growing_large_lab():
    """One with a slot for more memory, which can be pulled out again."""
    append, slot = "memhp_default_state=online_movable", ("-m", "slots=1,maxmem=1G")
    yield from _own_lab("qemu", keys=_LARGE, large="6.12", append=append, extra=slot)


@pytest.fixture
def kept_large_lab():
    """One whose daemon vballoon-keeper starts again."""
    yield from _own_lab("qemu", keys=_LARGE, kept=True, large="6.12")


def _own_lab(kind, **options):
    path = Path(tempfile.mkdtemp(prefix="vbt-"))
    yield from _running(kind, path, **options)
    shutil.rmtree(path, ignore_errors=True)


def _daemon(folder, keys, kept):
    """@param keys  more of the device's block in the configuration."""
    if not keys:
        return Daemon(folder, kept=kept)
    daemon = Daemon(folder, devices=(), arguments=("--config", str(folder / "device.toml")), kept=kept)
    device = f'name = "vm1"\nsocket = "{daemon.socket("vm1")}"\n{keys}\n'
    (folder / "device.toml").write_text(f"[[device]]\n{device}")
    return daemon


def _running(kind, folder, packed=True, keys="", kept=False, **options):
    keys = keys if packed else "packed = false"
    with _daemon(folder, keys, kept) as daemon, Lab(kind, daemon, **options) as lab:
        _labs.append(lab)
        yield lab
        _labs.remove(lab)
        lab.guest.kill()
        if daemon.alive():
            daemon.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the daemon's log and the guests' consoles to a failure, and keeps it from spreading."""
    report = (yield).get_result()
    if report.failed:
        for lab in _labs:
            report.sections += lab.evidence()
            lab.suspect = True
