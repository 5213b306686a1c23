// SPDX-License-Identifier: BSD-3-Clause
//
// control/lcore_plan.cpp - see lcore_plan.hpp.
#include "control/lcore_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vballoon::control {
namespace {

bool contains(const CpuList& cpus, unsigned cpu) {
  return std::find(cpus.begin(), cpus.end(), cpu) != cpus.end();
}

CpuList without(const CpuList& cpus, const CpuList& taken) {
  CpuList rest;
  std::copy_if(cpus.begin(), cpus.end(), std::back_inserter(rest),
               [&taken](unsigned cpu) { return !contains(taken, cpu); });
  return rest;
}

CpuList choose_poll_cpus(const Config& config, const Cpus& cpus) {
  if (!config.poll_lcores.empty()) return config.poll_lcores;
  if (config.profile == Profile::kDevelopment) return {};
  for (const unsigned cpu : cpus.isolated) {
    if (contains(cpus.usable, cpu)) return {cpu};
  }
  if (cpus.allowed.size() > 1) return {cpus.allowed.back()};
  return {};
}

Result<void> check_cpu(unsigned cpu, std::string_view key, const Cpus& cpus) {
  if (contains(cpus.usable, cpu)) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("{}: cpu {} is not among those this process may use ({})", key, cpu,
                          format_cpu_list(cpus.usable)));
}

Result<void> check_cpus(const Config& config, const Cpus& cpus) {
  for (const unsigned cpu : config.poll_lcores) {
    if (auto ok = check_cpu(cpu, "poll.lcores", cpus); !ok) return ok;
  }
  if (!config.main_lcore) return {};
  if (auto ok = check_cpu(*config.main_lcore, "eal.main_lcore", cpus); !ok) return ok;
  if (!contains(config.poll_lcores, *config.main_lcore)) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("eal.main_lcore: cpu {} is in poll.lcores too, where a poll lcore would "
                          "starve the control thread; choose another for one of them",
                          *config.main_lcore));
}

/// The cpu's own number where it can be, else the lowest one nobody has.
unsigned choose_id(unsigned cpu, const CpuList& taken) {
  if (cpu < kMaxLcores && !contains(taken, cpu)) return cpu;
  unsigned id = 0;
  while (contains(taken, id)) ++id;
  return id;
}

std::string lcore_text(const Lcore& lcore) {
  return fmt::format("{}@({})", lcore.id, format_cpu_list(lcore.cpus));
}

LcorePlan floating_plan(const Config& config, const Cpus& cpus) {
  const CpuList main = config.main_lcore ? CpuList{*config.main_lcore} : cpus.allowed;
  LcorePlan plan{Lcore{0, main}, {Lcore{1, cpus.allowed}}, false, ""};
  if (config.profile == Profile::kProduction) {
    plan.note = fmt::format(
        "there is one cpu only ({}): the poll lcore shares it with everything "
        "else{}",
        format_cpu_list(cpus.allowed),
        config.idle == Idle::kSpin ? "; set poll.idle = \"backoff\"" : "");
  }
  return plan;
}

/// Of several patterns the last one counts for what is registered by then, the first one for what
/// is registered later; telemetry is.
void add_log_levels(const Config& config, std::vector<std::string>* args) {
  const bool trace = config.log_level == "trace";
  const bool verbose = trace || config.log_level == "debug";
  // Else it warns at each start of a telemetry socket that nobody has used for years.
  args->emplace_back("--log-level=lib.telemetry:error");
  args->emplace_back(verbose ? "--log-level=*:info" : "--log-level=*:warning");
  // A guest writes its configuration once per 256 pages; DPDK would log each of these messages.
  args->emplace_back(trace ? "--log-level=lib.vhost.config:info"
                           : "--log-level=lib.vhost.config:warning");
}

}  // namespace

Result<LcorePlan> plan_lcores(const Config& config, const Cpus& cpus) {
  if (auto ok = check_cpus(config, cpus); !ok) return tl::unexpected(ok.error());
  CpuList poll_cpus = choose_poll_cpus(config, cpus);
  if (config.main_lcore && config.poll_lcores.empty()) {
    // A cpu that was chosen here gives way to one that was asked for.
    poll_cpus = without(poll_cpus, {*config.main_lcore});
  }
  if (poll_cpus.empty()) return floating_plan(config, cpus);

  LcorePlan plan;
  CpuList taken;
  for (const unsigned cpu : poll_cpus) {
    plan.poll.push_back(Lcore{choose_id(cpu, taken), {cpu}});
    taken.push_back(plan.poll.back().id);
  }
  plan.main.cpus =
      config.main_lcore ? CpuList{*config.main_lcore} : without(cpus.allowed, poll_cpus);
  if (plan.main.cpus.empty()) {
    plan.main.cpus = cpus.allowed;
    plan.note =
        "every cpu is a poll lcore; the control thread and the sockets share them, so "
        "messages of VMMs will be slow";
  }
  plan.main.id = choose_id(plan.main.cpus.front(), taken);
  return plan;
}

std::vector<std::string> eal_arguments(const Config& config, const LcorePlan& plan) {
  std::string lcores = lcore_text(plan.main);
  for (const Lcore& lcore : plan.poll) lcores += "," + lcore_text(lcore);
  std::vector<std::string> args{"vballoond", "--lcores", lcores, "--main-lcore",
                                std::to_string(plan.main.id)};
  const auto add = [&args](auto... more) { (args.emplace_back(more), ...); };
  add("--no-pci", "--iova-mode=va", "-m", std::to_string(config.memory_mib));
  if (config.no_huge) {
    // In 22.11 --in-memory and --no-huge exclude each other; this comes to the same.
    add("--no-huge", "--no-shconf");
  } else {
    add("--in-memory");
  }
  if (config.profile == Profile::kDevelopment) add("--no-telemetry");
  add_log_levels(config, &args);
  args.insert(args.end(), config.eal_args.begin(), config.eal_args.end());
  return args;
}

}  // namespace vballoon::control
