# SPDX-License-Identifier: BSD-3-Clause
"""The show behind tools/demo --kill: the daemon is killed while guests inflate their balloons, and
neither they nor their VMMs notice."""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from .daemon import Daemon
from .demo import say
from .errors import LabError
from .guest import Guest, MiB, wait_until
from .qemu import QemuGuest
from .uml import UmlGuest

_KINDS = {"QEMU": (QemuGuest, 384 * MiB), "User Mode Linux": (UmlGuest, 256 * MiB)}
_BALLOON = 96 * MiB
_FILE = 24 * MiB
_ROUNDS = 3


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="vballoon-demo-"))
    kills = 0
    try:
        with Daemon(folder, devices=tuple(map(_device, _KINDS)), kept=True) as daemon:
            kills = _show(daemon)
            daemon.stop()
    except (LabError, AssertionError) as error:
        print(f"demo: {error}", file=sys.stderr)
        kills = 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"demo: {kills} daemons were killed, and no guest noticed" if kills else "demo: failed")
    return 0 if kills else 1


def _device(kind: str) -> str:
    return kind.split()[0].lower()


def _show(daemon: Daemon) -> int:
    """@return  how often the daemon was killed."""
    say("vballoond runs under vballoon-keeper, which starts it again and keeps its VMs' sockets.")
    guests: dict[str, Guest] = {}
    try:
        for kind in _KINDS:
            guests[kind] = _boot(daemon, kind)
        sums = {kind: guest.random_file("/tmp/file", _FILE) for kind, guest in guests.items()}
        say(f"Each guest has a file of {_FILE // MiB} MiB of random bytes in its memory, and knows"
            " its checksum.")
        kills = sum(_kill_rounds(daemon, kind) for kind in guests)
        for kind, guest in guests.items():
            _expect(guest.checksum("/tmp/file") == sums[kind], f"{kind}: the file has changed")
        say("Both files are what they were.")
        kills += sum(_kill_and_reboot(daemon, kind, guest) for kind, guest in guests.items())
        return kills
    finally:
        for guest in guests.values():
            guest.kill()


def _boot(daemon: Daemon, kind: str) -> Guest:
    make, mem = _KINDS[kind]
    started = time.monotonic()
    guest = make(mem=mem, socket=daemon.socket(_device(kind)))
    daemon.wait_for_state(_device(kind), "running")
    say(f"A guest of {mem // MiB} MiB has booted under {kind}, and its balloon driver is up"
        f" ({time.monotonic() - started:.1f} s).")
    return guest


def _kill_rounds(daemon: Daemon, kind: str) -> int:
    print(f"\n  {kind + ', MiB':<28}{'of':>6}{'killed at':>12}{'next daemon':>14}{'inflated':>12}")
    for _ in range(_ROUNDS):
        begun, killed, back, reached = _kill_in_an_inflate(daemon, _device(kind))
        print(f"  {'':<28}{_BALLOON // MiB:>6}{killed / MiB:>12.1f}{back - begun:>12.2f} s"
              f"{reached - begun:>10.2f} s", flush=True)
    print()
    return _ROUNDS


def _kill_in_an_inflate(daemon: Daemon, name: str) -> tuple[float, float, float, float]:
    """@return  when the inflate began, the balloon's bytes at the kill, when the next daemon
    answered, and when the guest had reached its target."""
    enough = daemon.counters(name)["inflate_pages"] + _BALLOON // 4096 // 16
    begun = time.monotonic()
    daemon.set_target(name, _BALLOON)
    wait_until(lambda: daemon.counters(name)["inflate_pages"] > enough, 20, "a part of it",
               every=0)
    killed = daemon.show(name)["ballooned_bytes"]
    daemon.replace()
    back = time.monotonic()
    daemon.wait_for_actual(name, _BALLOON)
    reached = time.monotonic()
    daemon.wait_for(name, "ballooned_bytes", _BALLOON, 10)
    daemon.resize(name, 0)
    daemon.wait_for(name, "ballooned_bytes", 0, 10)
    return begun, killed, back, reached


def _kill_and_reboot(daemon: Daemon, kind: str, guest: Guest) -> int:
    name = _device(kind)
    daemon.resize(name, _BALLOON)
    daemon.replace()
    guest.reboot()
    daemon.wait_for_state(name, "running")
    daemon.wait_for_actual(name, _BALLOON)
    daemon.wait_for(name, "ballooned_bytes", _BALLOON, 10)
    daemon.replace()
    guest.poweroff()
    say(f"{kind}: the daemon was killed again, the guest rebooted and had its balloon of"
        f" {_BALLOON // MiB} MiB back; it was killed once more, and the guest powered itself off.")
    return 2


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise LabError(otherwise)


if __name__ == "__main__":
    sys.exit(main())
