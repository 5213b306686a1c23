# SPDX-License-Identifier: BSD-3-Clause
"""What is run: sizes and times, and the daemon's configuration for each variant."""

from dataclasses import dataclass
from pathlib import Path

from guestlab.slow_disk import Pace

MiB = 1 << 20
VARIANTS = ("none", "reporting", "roomy", "pressure", "balance")
LAWS = ("pressure", "balance")
GUESTS = ("vm-down", "vm-up")
# The host's disk, on which it and its guests swap. "hard": a desktop's of the mail's time (Seagate
# Barracuda 7200.14, 2012, by its data sheet: 156 MB/s on average, 7,200 turns a minute, 64 MB of
# cache). All that is swapped lies within a few gigabytes, so a seek is the shortest that there is,
# from track to track, which takes such disks 1 ms, and half a turn. "any" is as fast as it comes.
DISKS = {
    "hard": Pace(rate=156_000_000, seek=0.001 + 60 / 7200 / 2, cache=64 * MiB),
    "any": None,
}


@dataclass(frozen=True)
class Plan:
    """The founding mail's experiment, or one of the same proportions."""

    guest: int  # bytes of a guest's memory
    host: int  # bytes that all have together
    free: int  # bytes of these that are free once both guests have booted, page cache not counted
    cache: int  # bytes of page cache of the host's own then
    chunks: tuple[int, ...]  # of 1 MiB, in the order of vm-down
    phase_seconds: float
    runs: int
    swap: int  # bytes of the host's swap
    guest_swap: int
    step_mib: int  # law pressure
    tick_ms: int  # between two looks of a law at its guests
    sample_seconds: float

    def chunks_of(self, guest: str) -> tuple[int, ...]:
        return self.chunks if guest == "vm-down" else self.chunks[::-1]


FULL = Plan(
    guest=1300 * MiB,
    host=2048 * MiB,
    free=1200 * MiB,
    cache=192 * MiB,
    chunks=(1024, 824, 624, 424, 224),
    phase_seconds=60,
    runs=3,
    swap=4096 * MiB,
    guest_swap=1024 * MiB,
    step_mib=32,
    tick_ms=250,
    sample_seconds=1,
)
# Half of it, in a quarter of the time.
QUICK = Plan(
    guest=650 * MiB,
    host=1024 * MiB,
    free=600 * MiB,
    cache=96 * MiB,
    chunks=(512, 412, 312, 212, 112),
    phase_seconds=15,
    runs=1,
    swap=2048 * MiB,
    guest_swap=512 * MiB,
    step_mib=16,
    tick_ms=250,
    sample_seconds=0.5,
)


def host_of(plan: Plan, variant: str) -> int:
    """@return  bytes. `roomy` is the limit: nobody ever has to do without."""
    return plan.host + (len(GUESTS) * plan.guest if variant == "roomy" else 0)


def configuration(plan: Plan, variant: str, cgroup: Path, sockets: dict[str, Path]) -> str:
    """@return  vballoond.toml. Free page reporting is off: what moves memory is the law alone."""
    law = variant in LAWS
    blocks = [_policy(plan, variant, cgroup)] if law else []
    for name, socket in sockets.items():
        reporting = "true" if variant == "reporting" else "false"
        lines = [f'name = "{name}"', f'socket = "{socket}"', f"reporting = {reporting}"]
        lines += ["automatic = true"] if law else []
        blocks.append("\n".join(["[[device]]", *lines]))
    return "\n\n".join(blocks) + "\n"


def _policy(plan: Plan, law: str, cgroup: Path) -> str:
    lines = ["[policy]", f'law = "{law}"', f'cgroup = "{cgroup}"', f"interval_ms = {plan.tick_ms}"]
    if law == "pressure":
        # Its times and steps are those of the full size; a smaller experiment has smaller ones.
        lines += [f"step_mib = {plan.step_mib}", f"guest_pressure_s = {round(plan.phase_seconds)}"]
    return "\n".join(lines)
