// SPDX-License-Identifier: BSD-3-Clause
#include "service/telemetry/answers.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "service/rpc/device_json.hpp"
#include "service/telemetry/form.hpp"
#include "vm/device_name.hpp"

namespace vballoon::service {
namespace {

/// Quotes and comma of a name in an array.
constexpr std::size_t kAroundName = 3;
/// For what is in the answer beside the names.
constexpr std::size_t kBesideNames = 200;

/// Checked first, so that no long text is compared with each VM's name.
Result<void> check(const std::string& name) {
  if (name.empty()) {
    return fail(Code::kInvalidArgument, "the name of a VM is missing: write it behind a comma");
  }
  return vm::check_name(name);
}

/// @return how many of the names one answer holds.
std::size_t room_for(const std::vector<std::string_view>& names) {
  std::size_t count = 0;
  std::size_t bytes = kBesideNames;
  for (const std::string_view name : names) {
    bytes += name.size() + kAroundName;
    if (count == kMostItems || bytes > kMostBytes) break;
    ++count;
  }
  return count;
}

}  // namespace

Answer Answers::names(const std::string& after) const {
  if (!after.empty()) {
    if (auto ok = check(after); !ok) return tl::unexpected(rpc::to_error(ok.error()));
  }
  std::vector<std::string_view> names;
  for (const vm::Vm* vm : fleet_.vms()) {
    if (vm->settings().name > after) names.emplace_back(vm->settings().name);
  }
  std::sort(names.begin(), names.end());
  const std::size_t shown = room_for(names);
  rpc::JsonWriter out;
  out.begin_object();
  out.field("vms", fleet_.vms().size());
  out.field("left", names.size() - shown);
  out.key("names");
  out.begin_array();
  for (std::size_t i = 0; i < shown; ++i) out.value(names[i]);
  out.end_array();
  out.end_object();
  return rpc::Body(out.take());
}

Answer Answers::device(const std::string& name) const {
  if (auto ok = check(name); !ok) return tl::unexpected(rpc::to_error(ok.error()));
  const auto vm = fleet_.find(name);
  if (!vm) return tl::unexpected(rpc::to_error(vm.error()));
  rpc::JsonWriter out;
  write_device(settings_.of(name), (*vm)->report(), &out);
  return rpc::Body(out.take());
}

Answer Answers::lcores() const {
  rpc::Json rows = rpc::Json::array();
  for (const lcore::LcoreReport& report : fleet_.lcores()) {
    rpc::Json& row = rows.emplace_back(lcore_json(report));
    row.erase("why");
  }
  return rows;
}

}  // namespace vballoon::service
