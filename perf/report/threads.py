# SPDX-License-Identifier: BSD-3-Clause
"""Where the processor time of QEMU and vballoond goes: by thread, from /proc, and by what each
thread does, from perf(1) where there is one."""

import shutil
import signal
import subprocess
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

GUEST = "guest"
RING = "ring"
EMPTY = "ring, empty passes"
CALL = "ring, interrupt"
CONTROL = "control channel"
DISCARD = "kernel, discards"
FAULT = "kernel, page faults"
KERNEL = "kernel, discards and sleeps"
OTHER = "other"

_HERTZ = 1000
_CONTROL_CALLS = ("sendmsg", "recvmsg", "sock_", "unix_stream", "sys_read", "sys_write", "futex")
# Roles of threads: who it is, what it does in user mode, what it does in the kernel. The last counts
# only where perf has not looked, and is right for the greater part.
_ROLES = {
    "vcpu": ("QEMU, vCPU", GUEST, CONTROL),
    "main": ("QEMU, main loop", CALL, CALL),
    "poll": ("vballoond, poll lcore", RING, KERNEL),
    "events": ("vballoond, vhost events", CONTROL, CONTROL),
    "rest": ("everything else", OTHER, OTHER),
}


def role_of(name: str, is_qemu_main: bool) -> str:
    if is_qemu_main:
        return "main"
    if "TCG" in name or "KVM" in name:
        return "vcpu"
    if name.startswith(("rte-worker", "lcore-worker", "dpdk-worker")):
        return "poll"
    return "events" if name.startswith(("vhost-events", "dpdk-vhost-evt")) else "rest"


@dataclass
class Usage:
    """Of one thread, since it began; or between two looks."""

    ran_ms: float = 0.0
    waited_ms: float = 0.0  # wanted to run, and another had the cpu
    user: float = 0.0  # ticks, or a share of `user + kernel`
    kernel: float = 0.0
    sleeps: int = 0

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(*(mine - theirs for mine, theirs in zip(_values(self), _values(other))))


def _values(usage: Usage) -> tuple:
    return usage.ran_ms, usage.waited_ms, usage.user, usage.kernel, usage.sleeps


def look(pids: list[int]) -> dict[int, Usage]:
    """@return  by thread id; threads that end meanwhile are left out."""
    found = {}
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                found[int(task.name)] = _usage(task)
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def _usage(task: Path) -> Usage:
    ran, waited, _ = (int(word) for word in (task / "schedstat").read_text().split())
    words = (task / "stat").read_text().rpartition(")")[2].split()
    switches = 0
    for line in (task / "status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches"):
            switches = int(line.split()[1])
    return Usage(ran / 1e6, waited / 1e6, int(words[11]), int(words[12]), switches)


def roles(qemu: int, daemon: int) -> dict[int, str]:
    """@return  role by thread id."""
    found = {}
    for pid in (qemu, daemon):
        for task in Path(f"/proc/{pid}/task").iterdir():
            name = (task / "comm").read_text().strip()
            tid = int(task.name)
            found[tid] = role_of(name, tid == qemu)
    return found


class Sampler:
    """perf(1) on some processes. Without it (not installed, or forbidden) it has no samples."""

    def __init__(self, pids: list[int], folder: Path):
        self._data = folder / "perf.data"
        self._process = None
        perf = shutil.which("perf")
        if perf is None:
            return
        command = [perf, "record", "-e", "cpu-clock", "-F", str(_HERTZ), "-g", "-o", self._data]
        command += ["-p", ",".join(map(str, pids))]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def stop(self) -> dict[int, list[list[str]]]:
        """@return  by thread id: the call chains that were seen, innermost first; a frame in the
        kernel begins with 'k:'."""
        if self._process is None:
            return {}
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        script = subprocess.run(
            ["perf", "script", "-i", self._data, "-F", "tid,ip,sym", "--ns"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._data.unlink(missing_ok=True)
        return _chains(script.stdout) if script.returncode == 0 else {}


def _chains(text: str) -> dict[int, list[list[str]]]:
    found = defaultdict(list)
    for sample in text.split("\n\n"):
        lines = sample.strip().splitlines()
        if not lines:
            continue
        tid = int(lines[0].split()[0])
        frames = (line.split(None, 1) for line in lines[1:])
        chain = [_frame(words) for words in frames]
        if chain:
            found[tid].append(chain)
    return found


def _frame(words: list[str]) -> str:
    symbol = words[1] if len(words) > 1 else ""
    return f"k:{symbol}" if words[0].startswith("ffff") else symbol


def part_of(role: str, chain: list[str]) -> str:
    """What a thread of this role does where this chain was seen."""
    _, in_user, _ = _ROLES[role]
    kernel = [frame for frame in chain if frame.startswith("k:")]
    if role in ("main", "events", "rest"):
        return in_user
    if role == "poll" and _looks_for_work(chain):
        return EMPTY
    if any("fallocate" in frame for frame in kernel):
        return DISCARD
    if any("page_fault" in frame for frame in kernel):
        return FAULT
    if role == "vcpu" and any(name in frame for frame in kernel for name in _CONTROL_CALLS):
        return CONTROL
    return in_user


def _looks_for_work(chain: list[str]) -> bool:
    """The lcore's own loop, and its sleep; not what it calls when there is something."""
    return chain[0].startswith("vballoon::poll::") or any("nanosleep" in name for name in chain)


@dataclass
class Row:
    part: str
    who: str
    ms: float = 0.0
    waited_ms: float = 0.0
    sleeps: int = 0


@dataclass
class Profile:
    """Sums over any number of runs."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    sampled: bool = True
    symbols: Counter = field(default_factory=Counter)  # (part, who, innermost function): samples

    def add(self, role: str, used: Usage, chains: list[list[str]]) -> None:
        """The thread's time is exact; how it is split is sampled, or user and kernel time."""
        who, in_user, in_kernel = _ROLES[role]
        if chains:
            weights = Counter(part_of(role, chain) for chain in chains)
            self.symbols.update((part_of(role, chain), who, chain[0]) for chain in chains)
        else:
            weights = Counter({in_user: used.user})
            weights[in_kernel] += used.kernel
            self.sampled = self.sampled and used.ran_ms < 10
        total = sum(weights.values()) or 1
        for part, weight in weights.items():
            self._row(part, who).ms += used.ran_ms * weight / total
        row = self._row(in_user, who)
        row.waited_ms += used.waited_ms
        row.sleeps += used.sleeps

    def _row(self, part: str, who: str) -> Row:
        return self.rows.setdefault((part, who), Row(part, who))
