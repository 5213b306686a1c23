// SPDX-License-Identifier: BSD-3-Clause
#include "outcome_text.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/size_text.hpp"

namespace vballoon::app {
namespace {

std::string page_counts(const driver::StepOutcome& outcome) {
  std::string text;
  for (const driver::Moved& moved : outcome.moved) {
    if (moved.pages == 0) continue;
    text += fmt::format("{} {} pages ({}), ", moved.way, moved.pages, format_size(moved.bytes));
  }
  return text;
}

double gib_per_second(const driver::StepOutcome& outcome) noexcept {
  if (outcome.seconds <= 0) return 0;
  return static_cast<double>(outcome.moved_bytes()) / static_cast<double>(kGiB) / outcome.seconds;
}

/// Of pages that moved; a step that moves none has none.
std::string rate(const driver::StepOutcome& outcome) {
  if (outcome.moved_bytes() == 0) return "";
  return fmt::format(" ({:.3g} GiB/s)", gib_per_second(outcome));
}

double microseconds(std::uint64_t ns) noexcept {
  return static_cast<double>(ns) / 1000;
}

std::string host_line(const driver::StepOutcome& outcome) {
  const bool back = outcome.allocated_after <= outcome.allocated_before;
  const std::uint64_t moved = back ? outcome.allocated_before - outcome.allocated_after
                                   : outcome.allocated_after - outcome.allocated_before;
  const std::string later =
      outcome.settle_seconds > 0
          ? fmt::format(", the last of it {:.0f} ms later", outcome.settle_seconds * 1000)
          : "";
  return fmt::format("  balloon {}; host {} {}: {} -> {} allocated{}\n",
                     format_size(outcome.ballooned_bytes), back ? "got back" : "gave",
                     format_size(moved), format_size(outcome.allocated_before),
                     format_size(outcome.allocated_after), later);
}

}  // namespace

std::string to_text(const driver::StepOutcome& outcome) {
  std::string text =
      fmt::format("{}: {}{} buffers, {:.3f} s{}\n", outcome.step, page_counts(outcome),
                  outcome.buffers, outcome.seconds, rate(outcome));
  const driver::Histogram& latency = outcome.latency;
  if (latency.count() > 0) {
    text += fmt::format("  a buffer took min {:.1f}, p50 {:.1f}, p99 {:.1f}, max {:.1f} us\n",
                        microseconds(latency.min()), microseconds(latency.quantile(0.5)),
                        microseconds(latency.quantile(0.99)), microseconds(latency.max()));
  }
  text += host_line(outcome);
  if (outcome.refused_bytes > 0) {
    text += fmt::format("  the device has kept {} that were to come back\n",
                        format_size(outcome.refused_bytes));
  }
  if (outcome.canaries.checked > 0) {
    text += fmt::format("  canaries: {} pages checked, {} changed\n", outcome.canaries.checked,
                        outcome.canaries.changed);
  }
  return text;
}

nlohmann::json to_json(const driver::StepOutcome& outcome) {
  nlohmann::json pages = nlohmann::json::object();
  for (const driver::Moved& moved : outcome.moved) {
    pages[std::string(moved.way)] = moved.pages;
  }
  const driver::Histogram& latency = outcome.latency;
  return {
      {"step", outcome.step},
      {"seconds", outcome.seconds},
      {"pages", pages},
      {"moved_bytes", outcome.moved_bytes()},
      {"refused_bytes", outcome.refused_bytes},
      {"gib_per_second", gib_per_second(outcome)},
      {"buffers", outcome.buffers},
      {"ballooned_bytes", outcome.ballooned_bytes},
      {"allocated_before_bytes", outcome.allocated_before},
      {"allocated_after_bytes", outcome.allocated_after},
      {"settle_seconds", outcome.settle_seconds},
      {"latency_ns",
       {{"count", latency.count()},
        {"min", latency.min()},
        {"mean", latency.mean()},
        {"p50", latency.quantile(0.5)},
        {"p99", latency.quantile(0.99)},
        {"p999", latency.quantile(0.999)},
        {"max", latency.max()}}},
      {"canaries", {{"checked", outcome.canaries.checked}, {"changed", outcome.canaries.changed}}}};
}

std::string to_text(const driver::Violations& violations) {
  return fmt::format(
      "the device broke the rules: {} unknown ids, {} ids not outstanding, {} index jumps, {} "
      "buffers out of order, {} used buffers without a call, {} lengths that cannot be, {} pages "
      "handed back that were not in the balloon\n",
      violations.unknown_id, violations.not_outstanding, violations.index_jump,
      violations.out_of_order, violations.missing_call, violations.bad_length,
      violations.not_in_balloon);
}

nlohmann::json to_json(const driver::Violations& violations) {
  return {
      {"unknown_id", violations.unknown_id},        {"not_outstanding", violations.not_outstanding},
      {"index_jump", violations.index_jump},        {"out_of_order", violations.out_of_order},
      {"missing_call", violations.missing_call},    {"bad_length", violations.bad_length},
      {"not_in_balloon", violations.not_in_balloon}};
}

}  // namespace vballoon::app
