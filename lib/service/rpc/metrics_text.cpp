// SPDX-License-Identifier: BSD-3-Clause
#include "service/rpc/metrics_text.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "base/size_histogram.hpp"
#include "vm/stats_patience.hpp"

namespace vballoon::service {
namespace {

using Amount = std::optional<std::uint64_t>;

/// A family of samples, one for each VM that has the figure.
struct Family {
  std::string_view name;  ///< behind "vballoon_vm_"; of a counter with "_total" at its end
  std::string_view help;
  Amount (*of)(const VmRow&);
};

constexpr Family kFamilies[] = {
    {"guest_bytes", "What the guest has; 0 while no VMM is connected.",
     [](const VmRow& vm) { return Amount(vm.report.guest_bytes); }},
    {"target_bytes", "The size that the guest's balloon is asked to have.",
     [](const VmRow& vm) { return Amount(vm.report.target_bytes); }},
    {"wanted_bytes", "The size that was set; more than the target where the guest has less.",
     [](const VmRow& vm) { return Amount(vm.report.wanted_bytes); }},
    {"actual_bytes", "The size of the balloon as the guest's driver says.",
     [](const VmRow& vm) { return vm.report.actual_bytes; }},
    {"ballooned_bytes", "What is in the balloon by the daemon's own count.",
     [](const VmRow& vm) { return Amount(vm.report.ballooned_bytes); }},
    {"reclaimed_bytes", "Of that, what the host has, at least.",
     [](const VmRow& vm) { return vm.report.reclaimed_bytes; }},
    {"stranded_bytes", "In the balloon, but in a huge page that is not whole yet.",
     [](const VmRow& vm) { return Amount(vm.report.stranded_bytes); }},
    {"resident_bytes", "What the guest takes of the host's memory.",
     [](const VmRow& vm) { return vm.report.resident_bytes; }},
    {"automatic", "Whether the policy sets the target.",
     [](const VmRow& vm) { return Amount(vm.automatic); }},
    {"inhibited", "Whether nothing is discarded, by the operator's wish.",
     [](const VmRow& vm) { return Amount(vm.report.inhibited); }},
    {"slow", "Whether a thread stood still in the VM's memory lately.",
     [](const VmRow& vm) { return Amount(vm.report.slow); }},
    {"statistics_stalled", "Whether the guest owes its figures for longer than it should.",
     [](const VmRow& vm) { return Amount(vm.report.stats_waiting_ms >= vm::kStatsStalledMs); }},
    {"discarded_bytes_total", "Given back to the host by inflation.",
     [](const VmRow& vm) { return Amount(vm.report.discarded_bytes); }},
    {"reported_bytes_total", "Given back to the host by free page reporting.",
     [](const VmRow& vm) { return Amount(vm.report.reported_bytes); }},
    {"pressure_messages_total", "How often the guest said that it is short of memory.",
     [](const VmRow& vm) { return Amount(vm.report.pressure_messages); }},
    {"restarts_total", "Ends of the daemon that the VM did not notice, since its VMM connected.",
     [](const VmRow& vm) { return Amount(vm.report.restarts.count); }},
};

/// A counter of `show` that is a family by itself.
struct Counted {
  std::string_view counter;
  std::string_view name;
  std::string_view help;
};
constexpr Counted kCounted[] = {
    {"inflate_pages", "inflated_pages_total", "Pages of 4 KiB that went into the balloon."},
    {"deflate_pages", "deflated_pages_total", "Pages of 4 KiB that came out of the balloon."},
    {"reported_pages", "reported_pages_total", "Pages of 4 KiB that the guest reported as free."},
    {"hint_pages", "hinted_pages_total", "Pages of 4 KiB that the guest hinted as free."},
    {"withheld_pages", "withheld_pages_total",
     "Pages of 4 KiB that the guest wanted back and the host had no memory for."},
    {"discard_calls", "discard_calls_total", "Holes punched for what was inflated."},
    {"report_calls", "report_calls_total", "Holes punched for what was reported."},
    {"discard_failures", "discard_failures_total", "Holes that the kernel refused."},
    {"retained_bytes", "retained_bytes_total", "Given by the guest and not discarded."},
    {"prefaulted_bytes", "prefaulted_bytes_total", "Put there again before the guest has it back."},
    {"prefault_failures", "prefault_failures_total", "Calls for that which the kernel refused."},
    {"reclaim_waits", "reclaim_waits_total", "How often a batch had to wait for room."},
    {"slow_calls", "slow_calls_total", "How often a thread stood still in the VM's memory."},
    {"stats_samples", "statistics_samples_total", "Statistics that the guest sent."},
    {"withheld", "withheld_answers_total",
     "Questions for pages that were answered with fewer than could have been, or none."},
    {"background_pressure", "background_pressure_messages_total",
     "How often the guest said that it reclaims in the background."},
    {"states", "state_messages_total", "How often the driver told its state."},
    {"calls", "interrupts_total", "Interrupts that the guest was sent."},
    {"blocked_calls", "blocked_interrupts_total",
     "Those that its VMM made wait: the driver is called no more."},
};

/// Counters of what a guest does against the rules, or to no use. One family has them all, by kind.
constexpr std::string_view kFaults[] = {
    "already_ballooned", "not_ballooned",    "outside_memory",   "odd_bytes",
    "wrong_direction",   "bad_chains",       "stats_truncated",  "stale_hints",
    "bad_hint_commands", "reports_kept",     "unknown_messages", "messages_truncated",
    "short_messages",    "short_buffers",    "unaligned",        "in_a_ring",
    "sizes_not_offered", "beyond_max_pages",
};

constexpr std::array kStates{vm::State::kWaiting, vm::State::kConnected, vm::State::kStopped,
                             vm::State::kRunning, vm::State::kBroken,    vm::State::kSetAside};

constexpr bool is_counter(std::string_view name) {
  return name.ends_with("_total");
}

class Text {
 public:
  /// The samples that follow are of this family.
  void begin(std::string_view name, std::string_view help) {
    begin(name, help, is_counter(name) ? "counter" : "gauge");
  }
  void begin(std::string_view name, std::string_view help, std::string_view type) {
    name_ = name;
    heading_ = fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  /// A family of one sample.
  void single(std::string_view name, std::string_view help, std::uint64_t value) {
    begin(name, help);
    text_ += std::exchange(heading_, {});
    fmt::format_to(std::back_inserter(text_), "{} {}\n", name_, value);
  }
  /// One histogram of the family.
  void sample(std::string_view labels, const SizeHistogram::Counts& counts) {
    text_ += std::exchange(heading_, {});
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < SizeHistogram::kBounds; ++i) {
      below += counts.buckets[i];
      fmt::format_to(std::back_inserter(text_), "{}_bucket{{{},le=\"{}\"}} {}\n", name_, labels,
                     SizeHistogram::bound(i), below);
    }
    const std::uint64_t all = below + counts.buckets.back();
    fmt::format_to(std::back_inserter(text_),
                   "{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n",
                   name_, labels, all, counts.sum);
  }
  void sample(std::string_view labels, std::uint64_t value) {
    text_ += std::exchange(heading_, {});
    fmt::format_to(std::back_inserter(text_), "{}{{{}}} {}\n", name_, labels, value);
  }
  void sample_ms(std::string_view labels, std::uint64_t ms) {
    text_ += std::exchange(heading_, {});
    fmt::format_to(std::back_inserter(text_), "{}{{{}}} {}.{:03}\n", name_, labels, ms / 1000,
                   ms % 1000);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string name_;
  std::string heading_;  // until its first sample
};

std::string label(const VmRow& vm) {
  return fmt::format("vm=\"{}\"", vm.name);
}

std::string label(const VmRow& vm, std::string_view key, std::string_view value) {
  return fmt::format("vm=\"{}\",{}=\"{}\"", vm.name, key, value);
}

Amount counter_of(const VmRow& vm, std::string_view name) {
  for (const datapath::NamedCount& counter : vm.report.counters) {
    if (counter.name == name) return counter.value;
  }
  return std::nullopt;
}

void write_vms(const std::vector<VmRow>& vms, Text* text) {
  for (const Family& family : kFamilies) {
    text->begin(fmt::format("vballoon_vm_{}", family.name), family.help);
    for (const VmRow& vm : vms) {
      if (const Amount amount = family.of(vm)) text->sample(label(vm), *amount);
    }
  }
  for (const Counted& counted : kCounted) {
    text->begin(fmt::format("vballoon_vm_{}", counted.name), counted.help);
    for (const VmRow& vm : vms) {
      if (const Amount amount = counter_of(vm, counted.counter)) text->sample(label(vm), *amount);
    }
  }
}

void write_faults(const std::vector<VmRow>& vms, Text* text) {
  text->begin("vballoon_vm_guest_faults_total",
              "What a guest did against the rules, or to no use, by kind: see docs/rpc.md.");
  for (const VmRow& vm : vms) {
    for (const std::string_view fault : kFaults) {
      if (const Amount count = counter_of(vm, fault)) {
        text->sample(label(vm, "kind", fault), *count);
      }
    }
  }
}

void write_states(const std::vector<VmRow>& vms, Text* text) {
  text->begin("vballoon_vm_state", "1 for the state that the VM is in.");
  for (const VmRow& vm : vms) {
    for (const vm::State state : kStates) {
      text->sample(label(vm, "state", vm::state_name(state)), vm.report.state == state ? 1 : 0);
    }
  }
  text->begin("vballoon_vm_info", "The kind of the VM's balloon, and the lcore that serves it.");
  for (const VmRow& vm : vms) {
    text->sample(fmt::format("{},lcore=\"{}\"", label(vm, "kind", vm.kind), vm.report.lcore), 1);
  }
  text->begin("vballoon_vm_longest_restart_seconds",
              "For how long the VM was not served by any daemon, at most.");
  for (const VmRow& vm : vms) text->sample_ms(label(vm), vm.report.restarts.longest_ms);
}

void write_holes(const std::vector<VmRow>& vms, Text* text) {
  text->begin("vballoon_vm_hole_bytes", "Sizes of the holes punched.", "histogram");
  for (const VmRow& vm : vms) text->sample(label(vm), vm.report.holes);
}

void write_queues(const std::vector<VmRow>& vms, Text* text) {
  text->begin("vballoon_vm_queue_buffers_total", "Buffers served, by queue.");
  for (const VmRow& vm : vms) {
    for (const vm::QueueReport& queue : vm.report.queues) {
      text->sample(label(vm, "queue", queue.role), queue.buffers);
    }
  }
  text->begin("vballoon_vm_queue_broken", "Whether the guest broke the rules of the ring.");
  for (const VmRow& vm : vms) {
    for (const vm::QueueReport& queue : vm.report.queues) {
      text->sample(label(vm, "queue", queue.role), queue.state == "broken" ? 1 : 0);
    }
  }
}

/// Whether the figure is an amount of now; the others count from the guest's boot.
constexpr bool is_level(wire::StatTag tag) {
  using enum wire::StatTag;
  return tag == kFree || tag == kTotal || tag == kAvailable || tag == kDiskCaches;
}

void write_statistics(const std::vector<VmRow>& vms, Text* text) {
  for (std::size_t i = 0; i < wire::kKnownStats; ++i) {
    const auto tag = static_cast<wire::StatTag>(i);
    const std::string_view end = is_level(tag) ? "" : "_total";
    text->begin(fmt::format("vballoon_guest_{}{}", wire::stat_name(tag), end),
                "The guest's own figure, a claim.");
    for (const VmRow& vm : vms) {
      if (!vm.report.stats) continue;
      if (const Amount amount = vm.report.stats->sample.get(tag)) text->sample(label(vm), *amount);
    }
  }
  text->begin("vballoon_guest_statistics_age_seconds", "How old the guest's figures are.");
  for (const VmRow& vm : vms) {
    if (vm.report.stats) text->sample_ms(label(vm), vm.report.stats->age_ms);
  }
}

struct LcoreFamily {
  std::string_view name;
  std::string_view help;
  std::uint64_t lcore::LcoreReport::*of;
};
constexpr LcoreFamily kLcoreFamilies[] = {
    {"vballoon_lcore_devices", "Devices that a poll lcore looks after.",
     &lcore::LcoreReport::devices},
    {"vballoon_lcore_passes_total", "Looks at the rings, or for a batch.",
     &lcore::LcoreReport::passes},
    {"vballoon_lcore_busy_passes_total", "Those that found work.",
     &lcore::LcoreReport::busy_passes},
    {"vballoon_lcore_sleeps_total", "How often the thread went to sleep.",
     &lcore::LcoreReport::sleeps},
};

void write_lcores(std::span<const lcore::LcoreReport> lcores, Text* text) {
  for (const LcoreFamily& family : kLcoreFamilies) {
    text->begin(family.name, family.help);
    for (const lcore::LcoreReport& lcore : lcores) {
      if (lcore.role == "control") continue;
      text->sample(fmt::format("lcore=\"{}\",role=\"{}\"", lcore.lcore, lcore.role),
                   lcore.*family.of);
    }
  }
}

struct PoolFamily {
  std::string_view name;
  std::string_view help;
  std::uint64_t policy::PoolObservation::*of;
};
constexpr PoolFamily kPoolFamilies[] = {
    {"total", "All memory of a pool.", &policy::PoolObservation::total},
    {"available", "What of a pool is available.", &policy::PoolObservation::available},
    {"reserve", "What of it the law keeps.", &policy::PoolObservation::reserve},
};

void write_policy(const policy::Report& policy, Text* text) {
  text->single("vballoon_policy_turns_total", "Looks of the law at the host and its VMs.",
               policy.turns);
  text->single("vballoon_policy_pressure_events_total", "How often the host's pressure was heard.",
               policy.pressure_events);
  text->single("vballoon_policy_host_seen", "Whether the figures of the policy's cgroup are read.",
               policy.host_seen ? 1 : 0);
  for (const PoolFamily& family : kPoolFamilies) {
    text->begin(fmt::format("vballoon_policy_pool_{}_bytes", family.name), family.help);
    for (const policy::PoolObservation& pool : policy.pools) {
      if (!pool.known) continue;
      text->sample(fmt::format("pool=\"{}\"", pool.name), pool.*family.of);
    }
  }
  text->begin("vballoon_vm_policy_rule", "1 for the rule that applied last to an automatic VM.");
  for (const policy::VmReport& vm : policy.vms) {
    if (vm.rule.empty()) continue;
    text->sample(fmt::format("vm=\"{}\",rule=\"{}\"", vm.name, vm.rule), 1);
  }
  text->begin("vballoon_vm_policy_moves_total", "How often the law changed the VM's target.");
  for (const policy::VmReport& vm : policy.vms) {
    text->sample(fmt::format("vm=\"{}\",direction=\"up\"", vm.name), vm.raised);
    text->sample(fmt::format("vm=\"{}\",direction=\"down\"", vm.name), vm.lowered);
  }
}

void write_daemon(const Figures& figures, Text* text) {
  const DaemonCounters& counters = figures.daemon.counters;
  text->begin("vballoon_build_info", "The daemon's version.");
  text->sample(fmt::format("version=\"{}\"", figures.daemon.version), 1);
  text->single("vballoon_start_time_seconds", "When the daemon started, since 1970.",
               figures.daemon.started_s);
  text->single("vballoon_vms", "VMs that the daemon serves.", figures.vms.size());
  text->single("vballoon_rpc_requests_total", "Requests of RPC clients.", counters.rpc_requests);
  text->single("vballoon_rpc_errors_total", "Those that were answered with an error.",
               counters.rpc_errors);
  text->single("vballoon_rpc_turned_away_total",
               "RPC clients without a right to call, or for whom no place was left.",
               counters.rpc_turned_away);
  text->begin("vballoon_reloads_total", "How often the configuration was read again.");
  text->sample("result=\"done\"", counters.reloads);
  text->sample("result=\"refused\"", counters.failed_reloads);
}

}  // namespace

std::string metrics_text(const Figures& figures) {
  Text text;
  write_daemon(figures, &text);
  write_policy(figures.policy, &text);
  write_vms(figures.vms, &text);
  write_states(figures.vms, &text);
  write_holes(figures.vms, &text);
  write_queues(figures.vms, &text);
  write_faults(figures.vms, &text);
  write_statistics(figures.vms, &text);
  write_lcores(figures.lcores, &text);
  return text.take();
}

}  // namespace vballoon::service
