// SPDX-License-Identifier: BSD-3-Clause
#include "outcome_text.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/size_text.hpp"

namespace vballoon::app {
namespace {

std::string page_counts(const driver::StepOutcome& outcome) {
  std::string text;
  for (std::size_t role = 0; role < driver::kRoles; ++role) {
    if (outcome.pages[role] == 0) continue;
    text += fmt::format("{} {} pages ({}), ", driver::kRoleNames[role], outcome.pages[role],
                        format_size(pages_to_bytes(outcome.pages[role])));
  }
  return text;
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
  std::string text = fmt::format("{}: {}{} buffers, {:.3f} s\n", outcome.step, page_counts(outcome),
                                 outcome.buffers, outcome.seconds);
  const driver::Histogram& latency = outcome.latency;
  if (latency.count() > 0) {
    text += fmt::format("  a buffer took min {:.1f}, p50 {:.1f}, p99 {:.1f}, max {:.1f} us\n",
                        microseconds(latency.min()), microseconds(latency.quantile(0.5)),
                        microseconds(latency.quantile(0.99)), microseconds(latency.max()));
  }
  text += host_line(outcome);
  if (outcome.canaries.checked > 0) {
    text += fmt::format("  canaries: {} pages checked, {} changed\n", outcome.canaries.checked,
                        outcome.canaries.changed);
  }
  return text;
}

nlohmann::json to_json(const driver::StepOutcome& outcome) {
  nlohmann::json pages = nlohmann::json::object();
  for (std::size_t role = 0; role < driver::kRoles; ++role) {
    pages[driver::kRoleNames[role]] = outcome.pages[role];
  }
  const driver::Histogram& latency = outcome.latency;
  return {
      {"step", outcome.step},
      {"seconds", outcome.seconds},
      {"pages", pages},
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
      "buffers out of order, {} used buffers without a call\n",
      violations.unknown_id, violations.not_outstanding, violations.index_jump,
      violations.out_of_order, violations.missing_call);
}

nlohmann::json to_json(const driver::Violations& violations) {
  return {{"unknown_id", violations.unknown_id},
          {"not_outstanding", violations.not_outstanding},
          {"index_jump", violations.index_jump},
          {"out_of_order", violations.out_of_order},
          {"missing_call", violations.missing_call}};
}

}  // namespace vballoon::app
