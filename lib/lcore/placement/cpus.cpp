// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/placement/cpus.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace vballoon::lcore {
namespace {

CpuList to_list(const cpu_set_t& set) {
  CpuList list;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) list.push_back(cpu);
  }
  return list;
}

cpu_set_t affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  (void)::sched_getaffinity(0, sizeof(set), &set);
  return set;
}

/// Asks for every cpu: the kernel cuts that down to the cpus that the cpuset permits.
CpuList widest_affinity(const cpu_set_t& mine) {
  cpu_set_t all;
  CPU_ZERO(&all);
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) CPU_SET(cpu, &all);
  if (::sched_setaffinity(0, sizeof(all), &all) != 0) return to_list(mine);
  CpuList widest = to_list(affinity());
  (void)::sched_setaffinity(0, sizeof(mine), &mine);
  return widest;
}

/// Removes a number from the front of *text.
bool take_number(std::string_view* text, unsigned* number) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc{} || *number >= CPU_SETSIZE) return false;
  text->remove_prefix(static_cast<std::size_t>(end - text->data()));
  return true;
}

bool take_letter(std::string_view* text, char letter) {
  if (!text->starts_with(letter)) return false;
  text->remove_prefix(1);
  return true;
}

}  // namespace

Cpus read_cpus() {
  const cpu_set_t mine = affinity();
  Cpus cpus{to_list(mine), widest_affinity(mine), {}};
  std::ifstream file("/sys/devices/system/cpu/isolated");
  std::string line;
  if (std::getline(file, line)) cpus.isolated = parse_cpu_list(line);
  return cpus;
}

bool stay_on(const CpuList& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const unsigned cpu : cpus) CPU_SET(cpu, &set);
  return ::sched_setaffinity(0, sizeof(set), &set) == 0;
}

bool contains(const CpuList& cpus, unsigned cpu) noexcept {
  return std::find(cpus.begin(), cpus.end(), cpu) != cpus.end();
}

CpuList without(const CpuList& cpus, const CpuList& taken) {
  CpuList rest;
  std::copy_if(cpus.begin(), cpus.end(), std::back_inserter(rest),
               [&taken](unsigned cpu) { return !contains(taken, cpu); });
  return rest;
}

CpuList parse_cpu_list(std::string_view text) {
  cpu_set_t set;
  CPU_ZERO(&set);
  while (!text.empty()) {
    unsigned first = 0;
    if (!take_number(&text, &first)) return {};
    unsigned last = first;
    if (take_letter(&text, '-') && !take_number(&text, &last)) return {};
    for (unsigned cpu = first; cpu <= last; ++cpu) CPU_SET(cpu, &set);
    if (!text.empty() && !take_letter(&text, ',')) return {};
  }
  return to_list(set);
}

std::string format_cpu_list(const CpuList& cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", cpus[i]);
    if (last > i) text += fmt::format("-{}", cpus[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace vballoon::lcore
