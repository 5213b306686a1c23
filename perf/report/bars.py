# SPDX-License-Identifier: BSD-3-Clause
"""The bars that perf/run holds the figures against, and the figures that stand beside each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    key: str
    bound: float
    at_least: bool  # else at most
    what: str
    baseline: str = ""  # key of the same quantity done page by page, buffer by buffer, or by QEMU
    limit: str = ""  # key of the same quantity with one hole, or the least that is possible
    compares: bool = False  # with another daemon: without one it is not held against anything

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound

    def text(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:,g}"


def _least(key, bound, what, baseline="", limit=""):
    return Bar(key, bound, True, what, baseline, limit)


def _most(key, bound, what, baseline="", limit=""):
    return Bar(key, bound, False, what, baseline, limit)


def _of_baseline(key, bound, what):
    return Bar(key, bound, False, what, compares=True)


def _of_kinds():
    """Of one guest with both kinds of balloon: the stock one's share of time, to the large one's."""
    for way, host, bound, what in (
        ("inflate", "memfd", 40, "guest CPU, stock balloon to large pages, inflate 1 GiB"),
        ("deflate", "memfd", 30, "the same, deflate"),
        ("inflate", "memfd_init", 4, "the same, inflate, and the guest's kernel zeroes each page"),
    ):
        of, unit = f"kinds.{host}.{way}.", "_cpu_ms_per_gib"
        yield _least(f"{of}cpu_ratio", bound, what, f"{of}stock{unit}", f"{of}large{unit}")
    of = "kinds.hugetlb.inflate."
    what = "time, stock to large, inflate 3 GiB on huge pages"
    yield _least(f"{of}wall_ratio", 10, what, f"{of}stock_s", f"{of}large_s")


BARS = (
    _least(
        "discard.ascending.of_limit",
        0.93,
        "share of one hole's speed",
        "unmapped.ascending_by_page_of_limit",
    ),
    _least(
        "discard.descending.of_limit",
        0.93,
        "the same, descending",
        "unmapped.descending_by_page_of_limit",
    ),
    _least(
        "discard.runs16.of_limit",
        0.70,
        "shuffled runs of 16, default window",
        "windows.by_page_of_limit",
    ),
    _least(
        "discard.random_full_window.of_limit",
        0.75,
        "random, window as large as the stream",
        "random.by_page_of_limit",
    ),
    _least("discard.ascending.vs_naive_mapped", 2.2, "times page by page, neighbour idle"),
    _least("discard.ascending.vs_naive_busy", 10, "times page by page, neighbour busy"),
    _least(
        "discard.fragmented_live.vs_per_buffer", 1.5, "times a pass a buffer, runs of 2-32, busy"
    ),
    _most("pipeline.ns_per_page.ascending", 8, "ns, all but the system call"),
    _most("pipeline.ns_per_page.random", 25, "ns, the same, random"),
    _most(
        "ack.early.p50_us",
        3,
        "us, published to used seen",
        "ack.by_page.p50_us",
        "ack.limit.p50_us",
    ),
    _most("ack.early.p99_us", 10, "us, the same", "ack.by_page.p99_us", "ack.limit.p99_us"),
    _most("stall.inline.p99_ratio", 3, "ack p99, a VMM works on its file, to nobody's file"),
    _most("stall.inline.longest_ms", 50, "ms, the longest that an lcore stands still, the same"),
    _most("stall.reclaim_lcore.p99_ratio", 3, "the ratio, with a reclaim lcore"),
    _most("stall.reclaim_lcore.longest_ms", 50, "ms, the lcores, with a reclaim lcore"),
    _most(
        "stall.inline.leave_ms",
        1000,
        "ms, the longest until that VM has left its lcore",
        "",
        "stall.inline.control.leave_ms",
    ),
    _most(
        "stall.reclaim_lcore.leave_ms",
        1000,
        "ms, the same, with a reclaim lcore",
        "",
        "stall.reclaim_lcore.control.leave_ms",
    ),
    _most("poll.idle_ring_ns.8", 5, "ns a ring, empty pass", "", "poll.idle_ring_ns.8.limit"),
    _most(
        "poll.idle_ring_ns.5000", 10, "ns a ring, empty pass", "", "poll.idle_ring_ns.5000.limit"
    ),
    _most(
        "neighbour.tlb_ipi_per_gib.window",
        530,
        "interrupts a GiB, default window",
        "neighbour.tlb_ipi_per_gib.by_page",
    ),
    _most(
        "neighbour.tlb_ipi_per_gib.buffer",
        1100,
        "the same, late (a pass a buffer)",
        "neighbour.tlb_ipi_per_gib.by_page",
    ),
    _least(
        "scale.two_files.speedup",
        1.7,
        "two reclaim lcores, two VMs, against one",
        "",
        "scale.two_files.limit_speedup",
    ),
    _least("thp.ascending.vs_per_buffer", 6, "times a hole a buffer, transparent huge pages"),
    _most(
        "hugetlb.2m.ns_per_page",
        12,
        "ns a 4 KiB page of 2 MiB pages",
        "hugetlb.2m.by_page_ns_per_page",
        "hugetlb.2m.limit_ns_per_page",
    ),
    _least(
        "large.hugetlb.in.of_limit",
        0.80,
        "share of one hole's speed, 2 GiB of 2 MiB pages into a large balloon",
    ),
    _most(
        "large.hugetlb.withdraw.p99_of_limit",
        2,
        "times the kernel's own p99 for 64 pages of 2 MiB, asked back in one message",
    ),
    _most("memory.per_vm_bytes", 96 * 1024, "resident growth a VM of 1 GiB"),
    _most(
        "restart.wait_p99_ms",
        300,
        "ms, longest wait of a guest over a kill of the daemon, 100 under load",
        limit="restart.undisturbed_p99_ms",
    ),
    _most(
        "restart.300_vms_ms",
        1000,
        "ms, from the next daemon's start until 300 VMs are served",
        limit="restart.plain_300_devices_ms",
    ),
    _most("start.1000_devices_ms", 3000, "ms, from exec to ready, 1,000 devices"),
    _most("start.end_with_1000_vms_ms", 3000, "ms, from SIGTERM to the end, 1,000 VMs connected"),
    _most(
        "claimed.16tib.resident_mib",
        64,
        "MiB for a VM that claims 16 TiB, uses 64 MiB",
        "",
        "claimed.1gib.resident_mib",
    ),
    _most(
        "claimed.16tib.event_thread_ms",
        50,
        "ms of the event thread, its whole life",
        "",
        "claimed.1gib.event_thread_ms",
    ),
    _most("claimed.16tib.left_mib", 8, "MiB once its VMM is gone", "", "claimed.1gib.left_mib"),
    _most(
        "control.get_config_p50_us",
        40,
        "us, config read, daemon busy, 8 VMs",
        "",
        "control.get_config_limit_p50_us",
    ),
    _most("policy.decide_us.300", 1000, "us, a turn of the law over 300 VMs, one a second"),
    _most("policy.reaction_statistics_p99_ms", 1250, "ms, 512 MiB back, asked once a second"),
    _most("policy.reaction_message_p99_ms", 250, "ms, the same, the guest sends a message"),
    _most("policy.cost_percent.300", 0.5, "% of a core, 300 VMs, a turn a second"),
    _of_baseline("fleet.set.vs_baseline", 0.25, "cpu time of another daemon, device.set"),
    _of_baseline("fleet.list.vs_baseline", 0.5, "the same, device.list of 1,000 VMs"),
    _of_baseline("fleet.turn.vs_baseline", 0.5, "the same, a turn of the policy over 1,000 VMs"),
    _most("guest.inflate.vs_qemu", 0.80, "time of QEMU's own balloon, 4 GiB"),
    _most("guest.deflate.vs_qemu", 0.90, "the same, deflate"),
    *_of_kinds(),
    _least("aged.reached", 0.95, "of what an aged guest can spare, to the pool of huge pages"),
    _most("aged.stranded_mib", 0, "MiB of that balloon in huge pages that are not whole"),
    _most("aged.longest_ms", 50, "ms, the longest search for one page, of the guest's driver"),
)

# Held against nothing: key, what, and the key that stands beside it: of the same by another daemon, or
# of what is possible.
SHOWN = (
    (
        "large.hugetlb.in_gib_per_s",
        "GiB/s into a large balloon, until the host has it; one hole",
        "large.hugetlb.in_limit_gib_per_s",
    ),
    (
        "large.hugetlb.withdraw.p99_us",
        "us p99, 64 pages of 2 MiB back; the kernel's filling",
        "large.hugetlb.withdraw_limit.p99_us",
    ),
    *(
        (
            f"aged.{state}.large.reached",
            f"share of the wish that the pool got, guest aged by '{state}'; stock",
            f"aged.{state}.stock.reached",
        )
        for state in ("checker", "mix", "slab", "cache")
    ),
    *(
        (
            f"aged.{state}.large.stranded_mib",
            "MiB stranded, the same; stock",
            f"aged.{state}.stock.stranded_mib",
        )
        for state in ("checker", "mix", "slab", "cache")
    ),
    ("fleet.set_us", "us of the control thread, device.set", "fleet.baseline.set_us"),
    ("fleet.set_wall_us", "us from request to answer, the same", "fleet.baseline.set_wall_us"),
    ("fleet.list_us", "us of the control thread, device.list", "fleet.baseline.list_us"),
    ("fleet.list_wall_us", "us to the last byte, the same", "fleet.baseline.list_wall_us"),
    ("fleet.turn_us", "us of the control thread, a turn", "fleet.baseline.turn_us"),
)
