# SPDX-License-Identifier: BSD-3-Clause
"""One run of one variant: a daemon, two guests in the small host, five phases in each."""

import contextlib
import os
import shutil
import tempfile
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from guestlab import Daemon, LabError, SmallHost, UmlGuest

from .plan import GUESTS, MiB, Plan, configuration, host_of
from .watch import Swapped, Used, Watch

_PATIENCE = 600  # seconds beyond a phase's own: a guest that swaps is slow
_SETTLE = 2  # seconds after booting


@dataclass(frozen=True)
class Outcome:
    figures: dict[str, float]
    samples: list[dict[str, float]]


class Guest:
    """A guest, its workload and its times."""

    def __init__(self, name: str, run: "Run"):
        self.name = name
        self.run = run
        self.phases: list[dict[str, float]] = []
        self.began = time.monotonic()
        swap = run.host.disk / f"{name}.swap"
        with open(swap, "wb") as file:
            file.truncate(run.plan.guest_swap)
        self.machine = UmlGuest(
            mem=run.plan.guest,
            socket=run.daemon.socket(name),
            programs=(run.workload,),
            swap=swap,
            cgroup=run.host.room(name),
            cpu=_own_cpu(name),
        )

    def work(self) -> None:
        """All phases. vm-up waits for as long as one takes."""
        plan = self.run.plan
        if self.name == "vm-up":
            self.run.wait(plan.phase_seconds)
        for chunks in plan.chunks_of(self.name):
            self.run.check()
            command = f"{self.run.workload.name} {chunks} {plan.phase_seconds:g}"
            answer = self.machine.sh(command, timeout=plan.phase_seconds + _PATIENCE)
            phase = {key: float(value) for key, value in map(str.split, answer.splitlines())}
            phase["rate"] = phase["records"] / (phase["elapsed_s"] - phase["fill_s"])
            self.phases.append(phase)
            self.run.say(self._told(chunks, phase))

    def _told(self, chunks: int, phase: dict[str, float]) -> str:
        swapped = Swapped.now().since(self.run.swapped)
        return (
            f"{self.name:7} {len(self.phases)} of 5, {chunks:4} chunks: {phase['rate']:5.1f}"
            f" records/s, filled in {phase['fill_s']:5.1f} s;"
            f" host swap in {swapped.into:7,} out {swapped.out:7,} pages"
        )

    def swapped(self) -> tuple[int, int]:
        vmstat = self.machine.vmstat()
        return vmstat["pswpin"], vmstat["pswpout"]

    def end(self) -> dict[str, float]:
        """Powers it off. @return  its row of the table"""
        swap_in, swap_out = self.swapped()
        used = Used.by(self.run.host.processes(self.name))
        self.machine.poweroff(timeout=_PATIENCE)
        elapsed = time.monotonic() - self.began
        figures = {
            "elapsed_s": elapsed,
            "user_s": used.user,
            "sys_s": used.system,
            "cpu_percent": 100 * (used.user + used.system) / elapsed,
            "major_faults": used.major,
            "minor_faults": used.minor,
            "records": sum(phase["rate"] for phase in self.phases),
            "guest_swap_in": swap_in,
            "guest_swap_out": swap_out,
        }
        return {f"{self.name}.{key}": value for key, value in figures.items()}


def _own_cpu(guest: str) -> int:
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[GUESTS.index(guest) % len(cpus)]


class Run:
    def __init__(self, plan: Plan, variant: str, host: SmallHost, workload: Path, say):
        """@param workload  the program search-chunks.
        @param say  prints a line of progress."""
        self.plan = plan
        self.variant = variant
        self.host = host
        self.workload = workload
        self.say = say
        self.folder = Path(tempfile.mkdtemp(prefix="vbx-"))
        self.daemon = self._daemon()
        self.swapped = Swapped.now()
        self._failed = threading.Event()

    def outcome(self) -> Outcome:
        self.host.resize(host_of(self.plan, self.variant))
        try:
            with self.daemon, contextlib.ExitStack() as stack:
                guests = self._boot(stack)
                with self._own_part():
                    machines = {guest.name: guest.machine for guest in guests}
                    every = self.plan.sample_seconds
                    with Watch(self.host, self.daemon.rpc_socket, machines, every) as watch:
                        self._at_once(guests, Guest.work)
                    rows = self._at_once(guests, Guest.end)
                return Outcome(self._figures(rows), watch.samples)
        finally:
            self.host.clear_rooms()
            for name in GUESTS:
                (self.host.disk / f"{name}.swap").unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    # For the guests

    def check(self) -> None:
        if self._failed.is_set():
            raise LabError("the other guest has failed")

    def wait(self, seconds: float) -> None:
        self._failed.wait(seconds)
        self.check()

    # Private

    def _daemon(self) -> Daemon:
        config = self.folder / "vballoond.toml"
        daemon = Daemon(self.folder, devices=(), arguments=("--config", str(config)))
        sockets = {name: daemon.socket(name) for name in GUESTS}
        config.write_text(configuration(self.plan, self.variant, self.host.cgroup, sockets))
        return daemon

    def _boot(self, stack: contextlib.ExitStack) -> list[Guest]:
        guests = []
        for name in GUESTS:
            guests.append(Guest(name, self))
            stack.enter_context(guests[-1].machine)
            self.daemon.wait_for_state(name, "running")
        return guests

    @contextlib.contextmanager
    def _own_part(self):
        """The host's own memory: page cache, and as much that is not to be swapped out as leaves
        free what the mail says was free when both guests had booted."""
        time.sleep(_SETTLE)
        holders = [self.host.cache(self.plan.cache, "own")]
        free = self.plan.host - self.host.usage()
        amount = free - self.plan.free
        if amount <= 0:
            raise LabError(f"only {free // MiB} MiB are free after booting")
        holders.append(self.host.hold(amount, "own", locked=True))
        self.say(f"booted; the host's own part is {amount // MiB} MiB, and page cache")
        self.swapped = Swapped.now()
        try:
            yield
        finally:
            for holder in holders:
                self.host.release(holder)

    def _at_once(self, guests: list[Guest], what) -> list:
        with ThreadPoolExecutor(len(guests)) as pool:
            futures = [pool.submit(what, guest) for guest in guests]
            try:
                for done in wait(futures, return_when=FIRST_EXCEPTION).done:
                    done.result()
                return [future.result() for future in futures]
            except BaseException:
                # Ctrl-C, or one of them failed: the others are not to be waited for.
                self._failed.set()
                for guest in guests:
                    guest.machine.kill()
                raise

    def _figures(self, rows: list[dict[str, float]]) -> dict[str, float]:
        swapped = Swapped.now().since(self.swapped)
        figures = {"swap_in": float(swapped.into), "swap_out": float(swapped.out)}
        for row in rows:
            figures |= row
        for key in ("major_faults", "minor_faults", "records", "elapsed_s"):
            figures[key] = sum(row[f"{name}.{key}"] for name, row in zip(GUESTS, rows))
        return figures
