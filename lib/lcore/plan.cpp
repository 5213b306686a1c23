// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace vballoon::lcore {
namespace {

/// @return the cpu's own number where possible, else the lowest id that is not in use.
unsigned choose_id(unsigned cpu, const CpuList& taken) {
  if (cpu < kMaxLcores && !contains(taken, cpu)) return cpu;
  unsigned id = 0;
  while (contains(taken, id)) ++id;
  return id;
}

std::string lcore_text(const Lcore& lcore) {
  return fmt::format("{}@({})", lcore.id, format_cpu_list(lcore.cpus));
}

lcore::Wishes wishes_of(const LcoreSettings& settings) {
  lcore::Wishes wishes;
  wishes.poll = settings.poll_lcores;
  wishes.reclaim = settings.reclaim_lcores;
  wishes.neighbours = settings.neighbours;
  wishes.control = settings.main_lcore;
  wishes.may_float = settings.profile == Profile::kDevelopment;
  return wishes;
}

/// Makes one lcore on each seat's cpu, and appends its id to *ids.
std::vector<Lcore> seated(const std::vector<Seat>& seats, CpuList* ids) {
  std::vector<Lcore> lcores;
  for (const Seat& seat : seats) {
    const unsigned id = choose_id(seat.cpu, *ids);
    ids->push_back(id);
    lcores.push_back(Lcore{id, {seat.cpu}, seat.node, seat.why});
  }
  return lcores;
}

/// Gives DPDK's telemetry socket a folder of its own. In EAL's default folder the first process
/// gets the socket name that tools look for. A later process, OVS-DPDK for instance, would get
/// another name.
constexpr const char* kFilePrefix = "vballoon";

bool is_given(const std::vector<std::string>& args, std::string_view option) {
  return std::any_of(args.begin(), args.end(),
                     [option](const std::string& arg) { return arg.starts_with(option); });
}

std::string note_of(const LcoreSettings& settings, const CpuList& rest) {
  if (settings.profile != Profile::kProduction) return "";
  return fmt::format("there is one cpu only ({}): the poll lcore shares it with everything else{}",
                     format_cpu_list(rest),
                     settings.idle == IdleStrategy::kSpin ? "; set poll.idle = \"backoff\"" : "");
}

}  // namespace

std::vector<EalLogLevel> eal_log_levels(std::string_view level) {
  const bool trace = level == "trace";
  const bool verbose = trace || level == "debug";
  return {// At "warning" it complains at each start about a telemetry socket long out of use.
          {"lib.telemetry", "error"},
          {"*", verbose ? "info" : "warning"},
          // A guest writes its configuration once per 256 pages; DPDK would log each such message.
          {"lib.vhost.config", trace ? "info" : "warning"}};
}

Result<LcorePlan> plan_lcores(const LcoreSettings& settings, const Cpus& cpus,
                              const lcore::Topology& topology) {
  const auto placed = lcore::place(topology, cpus, wishes_of(settings));
  if (!placed) return tl::unexpected(placed.error());
  const CpuList ours = without(cpus.allowed, settings.neighbours);
  if (ours.empty()) {
    return fail(Code::kInvalidArgument,
                fmt::format("placement.neighbours: leaves none of the cpus that this process runs "
                            "on ({}); take one out",
                            format_cpu_list(cpus.allowed)));
  }
  LcorePlan plan;
  CpuList ids;
  plan.poll = seated(placed->poll, &ids);
  plan.reclaim = seated(placed->reclaim, &ids);
  CpuList taken;
  for (const Seat& seat : placed->poll) taken.push_back(seat.cpu);
  for (const Seat& seat : placed->reclaim) taken.push_back(seat.cpu);

  CpuList rest = without(ours, taken);
  if (rest.empty()) {
    rest = ours;
    plan.note =
        "every cpu of ours is a poll or reclaim lcore; the control thread and the sockets share "
        "them, so messages of VMMs will be slow";
  }
  plan.main.cpus = settings.main_lcore ? CpuList{*settings.main_lcore} : rest;
  plan.main.id = choose_id(plan.main.cpus.front(), ids);
  plan.main.node = topology.where(plan.main.cpus.front()).node;
  ids.push_back(plan.main.id);
  if (plan.poll.empty()) {
    plan.pinned = false;
    plan.note = note_of(settings, rest);
    plan.poll.push_back(Lcore{choose_id(rest.front(), ids), rest, topology.where(rest.front()).node,
                              "no cpu of its own: it floats over these"});
  }
  return plan;
}

std::vector<std::string> eal_arguments(const LcoreSettings& settings, const LcorePlan& plan) {
  std::string lcores = lcore_text(plan.main);
  for (const Lcore& lcore : plan.poll) lcores += "," + lcore_text(lcore);
  for (const Lcore& lcore : plan.reclaim) lcores += "," + lcore_text(lcore);
  std::vector<std::string> args{"vballoond", "--lcores", lcores, "--main-lcore",
                                std::to_string(plan.main.id)};
  const auto add = [&args](auto... more) { (args.emplace_back(more), ...); };
  if (!is_given(settings.eal_args, "--file-prefix")) add("--file-prefix", kFilePrefix);
  add("--no-pci", "--iova-mode=va", "-m", std::to_string(settings.memory_mib));
  if (settings.no_huge) {
    // In DPDK 22.11 --in-memory and --no-huge exclude each other; --no-shconf has the same effect.
    add("--no-huge", "--no-shconf");
  } else {
    add("--in-memory");
  }
  if (settings.profile == Profile::kDevelopment) add("--no-telemetry");
  for (const EalLogLevel& entry : eal_log_levels(settings.log_level)) {
    args.push_back(fmt::format("--log-level={}:{}", entry.pattern, entry.level));
  }
  args.insert(args.end(), settings.eal_args.begin(), settings.eal_args.end());
  return args;
}

}  // namespace vballoon::lcore
