# SPDX-License-Identifier: BSD-3-Clause
"""The show behind tools/demo: a guest gives memory back, and the host's own figures say so."""

import shutil
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from .daemon import Daemon
from .errors import LabError
from .guest import MiB, wait_until
from .uml import UmlGuest

_GUEST = 512 * MiB
_BALLOON = 320 * MiB
_ENOUGH = 0.95


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="vballoon-demo-"))
    try:
        with Daemon(folder) as daemon:
            got = _show(daemon)
            daemon.stop()
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        got = 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"demo: host got back {got // MiB} MiB of {_BALLOON // MiB} MiB")
    return 0 if got >= _ENOUGH * _BALLOON else 1


def _show(daemon: Daemon) -> int:
    """@return  bytes that the host got back, at most the balloon's size."""
    say("vballoond runs in its development profile: no root, no huge pages, no cpu of its own.")
    started = time.monotonic()
    with UmlGuest(mem=_GUEST, socket=daemon.socket("vm1")) as guest:
        daemon.wait_for_state("vm1", "running")
        say(
            f"A User Mode Linux guest of {_GUEST // MiB} MiB has booted on its socket, and the"
            f" balloon driver is up ({time.monotonic() - started:.1f} s)."
        )
        before = _used_memory(daemon, guest)
        full = _inflate(daemon, guest, before)
        empty = _deflate(daemon, guest, full)
        _table(before, full, empty)
        guest.poweroff()
        say("The guest has powered itself off.")
    return min(_BALLOON, max(0, before["blocks"] - full["blocks"]))


def _used_memory(daemon: Daemon, guest: UmlGuest) -> dict[str, int]:
    """Memory counts for the host only once the guest has written to it, so have it written."""
    for _ in range(3):
        seen = daemon.show("vm1")["reported_bytes"]
        touched = guest.touch_memory()
        before = _measure(daemon, guest)
        if before["reported"] == seen:
            break  # else free page reporting was quicker than we: what it took is not ours to show
    say(
        f"The guest wrote to {touched // MiB} MiB and freed them again. It does not need them any"
        " more, and the host still provides them: the file behind its RAM takes"
        f" {before['blocks'] // MiB} MiB."
    )
    return before


def _inflate(daemon: Daemon, guest: UmlGuest, before: dict[str, int]) -> dict[str, int]:
    started = time.monotonic()
    shown = daemon.resize("vm1", _BALLOON)
    took = time.monotonic() - started
    _settle(guest, before["blocks"] - _BALLOON)
    full = _measure(daemon, guest)
    buffers = _buffers(shown, "inflate")
    calls = shown["counters"].get("discard_calls")
    say(
        f"The balloon grew to {shown['actual_bytes'] // MiB} MiB in {took:.1f} s"
        + (f": {buffers} buffers of up to 256 pages" if buffers else "")
        + (f", {calls} system calls to give them back" if calls else "")
        + "."
    )
    reported = full["reported"] - before["reported"]
    if reported:
        say(
            f"Free page reporting, which needs no target, gave back {reported // MiB} MiB as well."
        )
    return full


def _deflate(daemon: Daemon, guest: UmlGuest, full: dict[str, int]) -> dict[str, int]:
    daemon.resize("vm1", 0)
    empty = _measure(daemon, guest)
    say(
        "The balloon is empty again. The guest has its memory back; the host provides each page"
        " anew when the guest first touches it."
    )
    reported = empty["reported"] - full["reported"]
    if reported:
        say(f"Free page reporting has given back another {reported // MiB} MiB by now.")
    return empty


def _settle(guest: UmlGuest, wanted: int) -> None:
    """What was acknowledged early is given back within tens of milliseconds; be generous."""
    try:
        wait_until(lambda: guest.ram_blocks_bytes() <= wanted, 5, "the host's blocks")
    except LabError:
        pass  # the figures will tell


def _buffers(shown: dict, role: str) -> int | None:
    """Buffers of the queue with that role."""
    return next(
        (queue.get("buffers") for queue in shown["queues"] if queue.get("role") == role), None
    )


def _measure(daemon: Daemon, guest: UmlGuest) -> dict[str, int]:
    """Host figures first: the rest takes time, in which they must not move."""
    blocks, shown = guest.ram_blocks_bytes(), daemon.show("vm1")
    return {
        "blocks": blocks,
        "reported": shown["reported_bytes"],
        "balloon": shown["actual_bytes"],
        "free": guest.meminfo()["MemFree"],
    }


def _table(*columns: dict[str, int]) -> None:
    rows = (
        ("balloon", "balloon size"),
        ("free", "free memory in the guest"),
        ("blocks", "host memory behind the guest's RAM"),
    )
    print(f"\n  {'MiB':<36}{'before':>10}{'inflated':>10}{'deflated':>10}")
    for key, title in rows:
        print(f"  {title:<36}" + "".join(f"{column[key] // MiB:>10}" for column in columns))
    print()


def say(text: str) -> None:
    print(textwrap.fill(text, 92, subsequent_indent="  "), flush=True)


if __name__ == "__main__":
    sys.exit(main())
