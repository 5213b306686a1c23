// SPDX-License-Identifier: BSD-3-Clause
#include "support/rounds.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <string_view>

#include "base/check.hpp"

namespace vballoon::perf {
namespace {

constexpr Effort kQuick{.rounds = kLeastRounds, .many = 11};
constexpr Effort kFull{.rounds = 11, .many = 33};

}  // namespace

double median(std::vector<double> values) {
  VB_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double quantile(std::vector<double> values, double share) {
  VB_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size()));
  return values[std::min(at, values.size() - 1)];
}

double now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::nano>(now).count();
}

double thread_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

void Rounds::once(Variant& variant) const {
  if (variant.prepare) variant.prepare();
  const double begin = clock_();
  variant.work();
  variant.ns.push_back((clock_() - begin) / static_cast<double>(variant.pages));
}

void Rounds::run(unsigned rounds, std::string_view title) {
  for (unsigned round = 0; round < rounds; ++round) {
    progress(fmt::format("{}: round {} of {}", title, round + 1, rounds));
    if (round % 2 == 0) {
      for (Variant& variant : variants_) once(variant);
    } else {
      for (auto at = variants_.rbegin(); at != variants_.rend(); ++at) once(*at);
    }
  }
}

const Rounds::Variant& Rounds::find(const std::string& name) const {
  for (const Variant& variant : variants_) {
    if (variant.name == name) return variant;
  }
  give_up("no variant " + name);
}

double Rounds::ns(const std::string& name) const {
  return median(find(name).ns);
}

double Rounds::ratio(const std::string& above, const std::string& below) const {
  const std::vector<double>& tops = find(above).ns;
  const std::vector<double>& bottoms = find(below).ns;
  std::vector<double> ratios;
  for (std::size_t i = 0; i < tops.size(); ++i) ratios.push_back(tops[i] / bottoms[i]);
  return median(std::move(ratios));
}

Effort effort_wanted(int argc, char** argv) {
  if (argc == 1) return kFull;
  if (argc == 2 && std::string_view(argv[1]) == "--quick") return kQuick;
  give_up(fmt::format("usage: {} [--quick]", argv[0]));
}

}  // namespace vballoon::perf
