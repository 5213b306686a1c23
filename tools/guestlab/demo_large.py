# SPDX-License-Identifier: BSD-3-Clause
"""The show behind tools/demo --large: two guests on huge pages, whose free memory lies in single
pages. The stock balloon takes those, and the host's pool gets little; the balloon of large pages
gives whole huge pages."""

import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from .both_kinds import KINDS, daemon_of_both
from .daemon import Daemon
from .demo import say
from .errors import LabError
from .guest import Guest, MiB, wait_until
from .huge_pages import HUGE, NoHugePages, free_huge_pages, huge_pages
from .qemu import QemuGuest

_GUEST = 384 * MiB
_SCATTERED = 100 * MiB  # free, in single pages
_BALLOON = 160 * MiB  # more than lies in one piece
_FILE = 24 * MiB
_ENOUGH = 0.95


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="vballoon-demo-"))
    try:
        with _pool() as huge:
            stock, large = _show(folder, huge)
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"demo: of {_BALLOON // MiB} MiB the host got back {stock['host'] // MiB} MiB from the stock"
        f" balloon, {large['host'] // MiB} MiB from the one of large pages"
    )
    return 0 if large["host"] >= _ENOUGH * _BALLOON and large["stranded"] == 0 else 1


@contextmanager
def _pool():
    """@return  whether guests have huge pages behind them."""
    pool = huge_pages(_GUEST)
    try:
        pool.__enter__()
    except NoHugePages as why:
        say(
            f"No huge pages: {why}. The guests have pages of 4 KiB behind them, of which none is"
            " stranded: as root, this shows more."
        )
        yield False
        return
    try:
        say(
            f"The host's pool of huge pages (vm.nr_hugepages) is {_GUEST // MiB} MiB larger for as"
            " long as this lasts: the memory of one guest after the other."
        )
        yield True
    finally:
        pool.__exit__(None, None, None)


def _show(folder: Path, huge: bool) -> tuple[dict[str, float], dict[str, float]]:
    """@return  what each kind of balloon gave, in bytes."""
    daemon = daemon_of_both(folder, "2M" if huge else "4K,2M")
    with daemon:
        stock, large = (_give(daemon, kind, huge) for kind in KINDS)
        daemon.stop()
    _table(stock, large)
    return stock, large


def _give(daemon: Daemon, kind: str, huge: bool) -> dict[str, float]:
    module = "6.12" if kind == "large" else None
    socket = daemon.socket(kind)
    with QemuGuest(mem=_GUEST, socket=socket, huge_pages=huge, large=module) as guest:
        daemon.wait_for_state(kind, "running")
        checksum = guest.random_file("/tmp/file", _FILE)
        guest.touch_memory()
        guest.fragment_memory(_SCATTERED)
        say(
            f"A guest of {_GUEST // MiB} MiB with the {_name(kind)} has booted, and used its memory:"
            f" {_SCATTERED // MiB} MiB of it are free in single pages, each beside one in use."
        )
        got = _inflate(daemon, kind, guest, huge)
        daemon.resize(kind, 0)
        if guest.checksum("/tmp/file") != checksum:
            raise LabError(f"{kind}: a file in the guest's memory has changed")
        guest.poweroff()
        return got


def _name(kind: str) -> str:
    return "stock balloon" if kind == "stock" else "balloon of large pages"


def _inflate(daemon: Daemon, kind: str, guest: Guest, huge: bool) -> dict[str, float]:
    held = _free_in_pool if huge else lambda: -guest.ram_blocks_bytes()
    before = held()
    started = time.monotonic()
    daemon.resize(kind, _BALLOON, timeout=120)
    took = time.monotonic() - started
    daemon.wait_for(kind, "ballooned_bytes", _BALLOON, 10)
    # What was acknowledged early is given back within tens of milliseconds; be generous.
    try:
        wait_until(lambda: held() - before >= _BALLOON, 3, "the host's memory")
    except LabError:
        pass  # the figures will tell
    return {
        "balloon": _BALLOON,
        "host": min(_BALLOON, max(0, held() - before)),
        "stranded": daemon.show(kind)["stranded_bytes"],
        "seconds": took,
    }


def _free_in_pool() -> int:
    return free_huge_pages() * HUGE


def _table(stock: dict[str, float], large: dict[str, float]) -> None:
    rows = (
        ("balloon", "balloon size, MiB"),
        ("host", "of that the host got back, MiB"),
        ("stranded", "stranded: huge pages not whole, MiB"),
    )
    print(f"\n  {'':<40}{'stock':>10}{'large':>10}")
    for key, title in rows:
        print(f"  {title:<40}{stock[key] // MiB:>10}{large[key] // MiB:>10}")
    print(f"  {'time to get there, s':<40}{stock['seconds']:>10.1f}{large['seconds']:>10.1f}\n")


if __name__ == "__main__":
    sys.exit(main())
