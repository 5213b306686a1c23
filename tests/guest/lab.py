# SPDX-License-Identifier: BSD-3-Clause
"""A daemon and a guest on one of its devices, and the questions that the tests ask of them."""

import time
from dataclasses import dataclass
from functools import partial

from guestlab import Daemon, QemuGuest, UmlGuest
from guestlab.guest import MiB, Guest, wait_until
from guestlab.qemu import ARM64

PAGE = 4096  # a balloon page: VIRTIO 1.2, 5.5.6, whatever the guest's own page size
# About 210, 300 and 330 MiB of it are free.
GUEST_BYTES = {"uml": 256 * MiB, "qemu": 384 * MiB, "arm64": 512 * MiB}
_KINDS = {"uml": UmlGuest, "qemu": QemuGuest, "arm64": partial(QemuGuest, machine=ARM64)}


@dataclass(frozen=True)
class Pages:
    """Pages that went into and out of the balloon since the beginning, by one side's count."""

    inflated: int
    deflated: int

    def since(self, earlier: "Pages") -> "Pages":
        return Pages(self.inflated - earlier.inflated, self.deflated - earlier.deflated)


class Lab:
    def __init__(
        self,
        kind: str,
        daemon: Daemon,
        name: str = "vm1",
        mem: int | None = None,
        append: str = "",
        **options,
    ):
        """@param mem  of the guest, in bytes; None: what is usual for the kind.
        @param append  to the guest kernel's command line.
        @param options  more that the kind of guest takes."""
        self.kind = kind
        self.mem = mem or GUEST_BYTES[kind]
        self.daemon = daemon
        self.name = name
        self.append = append
        self.options = options
        self.suspect = False  # a test failed: who knows what it has left behind
        self.guest: Guest = self._boot()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.guest.kill()

    # Life

    def new_guest(self) -> None:
        """Another guest on the same socket. @pre  the old one has ended."""
        self.guest.kill()
        self.wait_for_state("waiting")
        self.guest = self._boot()

    def renew(self) -> None:
        """A new daemon and a new guest."""
        self.guest.kill()
        self.daemon.kill()
        self.daemon.start()
        self.guest = self._boot()
        self.suspect = False

    def tidy(self) -> None:
        self.resize(0)
        self.guest.sh("rm -rf /tmp/*")

    def evidence(self) -> list[tuple[str, str]]:
        """What to read after a failure."""
        log = self.daemon.log.read_text(errors="replace") if self.daemon.log.exists() else ""
        return [
            (f"vballoond, {self.daemon.log}", "\n".join(log.splitlines()[-40:])),
            (f"{self.kind} guest on {self.name}", self.guest.console.tail(40)),
        ]

    # The device

    def show(self) -> dict:
        return self.daemon.show(self.name)

    def counter(self, name: str) -> int:
        return self.show()["counters"][name]

    def set_target(self, amount: int) -> None:
        self.daemon.set_target(self.name, amount)

    def resize(self, amount: int) -> dict:
        return self.daemon.resize(self.name, amount)

    def stats(self) -> dict[str, int]:
        """The guest's own figures, asked for just now."""
        answer = self.daemon.stats(self.name)
        assert answer["fresh"], answer
        return answer["stats"]

    def wait_for_actual(self, amount: int) -> dict:
        return self.daemon.wait_for_actual(self.name, amount)

    def wait_for_state(self, state: str) -> dict:
        return self.daemon.wait_for_state(self.name, state)

    def wait_for_ledger(self, amount: int) -> None:
        """The ledger is the daemon's own count; `actual` is what the guest says."""
        self.daemon.wait_for(self.name, "ballooned_bytes", amount, 10)

    def wait_for_reported(self, amount: int) -> None:
        """Waits until free page reporting has given back so many bytes, all in all."""
        wait_until(
            lambda: self.show()["reported_bytes"] >= amount,
            40,
            f"{amount} bytes reported",
            found=lambda: self.show()["reported_bytes"],
        )

    def pages(self) -> Pages:
        """As the daemon counts."""
        counters = self.show()["counters"]
        return Pages(counters["inflate_pages"], counters["deflate_pages"])

    def buffers(self, role: str) -> int:
        return next(queue["buffers"] for queue in self.show()["queues"] if queue["role"] == role)

    # The guest

    def guest_pages(self) -> Pages:
        """As the guest counts."""
        vmstat = self.guest.vmstat()
        return Pages(vmstat["balloon_inflate"], vmstat["balloon_deflate"])

    def free(self) -> int:
        """MemFree once it stands still. Pages that are being reported are for a moment neither
        free nor used, tens of megabytes of them, every two seconds."""
        samples = [self.guest.meminfo()["MemFree"]]
        while len(samples) < 4 or max(samples[-4:]) - min(samples[-4:]) > 2 * MiB:
            assert len(samples) < 100, f"MemFree does not settle: {samples}"
            time.sleep(0.1)
            samples.append(self.guest.meminfo()["MemFree"])
        return samples[-1]

    def blocks(self) -> int:
        return self.guest.ram_blocks_bytes()

    def touch_memory(self, spare: int = 16 * MiB) -> int:
        """The guest writes to all that is free but `spare`, and frees it again.
        @return  blocks() while the guest held it: free page reporting takes it soon after."""
        self.guest.fill("/tmp/touched", self.guest.meminfo()["MemFree"] - spare)
        blocks = self.blocks()
        self.guest.sh("rm /tmp/touched")
        return blocks

    def wait_for_blocks_below(self, amount: int, timeout: float = 15) -> None:
        wait_until(
            lambda: self.blocks() <= amount,
            timeout,
            f"{amount // MiB} MiB or less behind the guest's RAM",
            found=lambda: f"{self.blocks() // MiB} MiB\n{self.guest.sh('cat /proc/buddyinfo')}",
        )

    def wait_for_reports(self) -> None:
        """Linux reports free memory two seconds after it became free, and sets up to half of a
        small guest aside meanwhile: a guest that wants it at that moment kills for it."""
        quiet, reported = 0, -1
        deadline = time.monotonic() + 30
        while quiet < 30 and time.monotonic() < deadline:
            now = self.show()["reported_bytes"]
            quiet, reported = (quiet + 1 if now == reported else 0), now
            time.sleep(0.1)

    def _boot(self) -> Guest:
        guest = _KINDS[self.kind](
            mem=self.mem,
            socket=self.daemon.socket(self.name),
            append=self.append,
            **self.options,
        )
        try:
            # Else up to an eighth of memory waits in per-cpu lists, where MemFree misses it.
            guest.sh("echo 1000 > /proc/sys/vm/percpu_pagelist_high_fraction")
            self.daemon.wait_for_state(self.name, "running")
        except BaseException:
            guest.kill()
            raise
        return guest
