// SPDX-License-Identifier: BSD-3-Clause
#include "fake_backend.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.hpp"

namespace vballoon::service {
namespace {

tl::unexpected<Status> unknown(std::string_view name) {
  return fail(Code::kNotFound, fmt::format("no device is named '{}'", name));
}

}  // namespace

vm::DeviceReport& FakeBackend::guest(const std::string& name) {
  vm::DeviceReport report;
  report.name = name;
  report.socket = "/tmp/" + name + ".sock";
  report.lcore = 1;
  report.state = vm::State::kRunning;
  report.guest_bytes = kGiB;
  report.actual_bytes = 0;
  devices.push_back(report);
  return devices.back();
}

void FakeBackend::answer_stats(const std::string& name, std::uint64_t free_bytes) {
  vm::DeviceReport& device = devices[index_of(name)];
  vm::StatsReport stats = device.stats.value_or(vm::StatsReport{});
  const auto tag = static_cast<unsigned>(wire::StatTag::kFree);
  stats.sample.values[tag] = free_bytes;
  stats.sample.present |= 1U << tag;
  ++stats.sequence;
  stats.age_ms = 3;
  device.stats = stats;
}

std::size_t FakeBackend::index_of(std::string_view name) const {
  const auto at = std::find_if(devices.begin(), devices.end(),
                               [name](const auto& device) { return device.name == name; });
  return static_cast<std::size_t>(at - devices.begin());
}

Result<vm::DeviceReport> FakeBackend::show(std::string_view name) const {
  const std::size_t i = index_of(name);
  if (i == devices.size()) return unknown(name);
  return devices[i];
}

Result<std::uint64_t> FakeBackend::set_target(std::string_view name, const vm::Target& target) {
  const std::size_t i = index_of(name);
  if (i == devices.size()) return unknown(name);
  last_target = target;
  const std::uint64_t guest = devices[i].guest_bytes;
  const std::uint64_t bytes = target.size.of(guest);
  if (guest != 0 && bytes > guest) return fail(Code::kInvalidArgument, "too much");
  devices[i].target_bytes = bytes;
  return bytes;
}

Result<void> FakeBackend::request_stats(std::string_view name) {
  const std::size_t i = index_of(name);
  if (i == devices.size()) return unknown(name);
  if (devices[i].state != vm::State::kRunning) return fail(Code::kUnavailable, "no driver");
  ++stats_requests;
  if (answers_stats) answer_stats(std::string(name), 64 * kMiB);
  return {};
}

Result<void> FakeBackend::add(const vm::Settings& device) {
  if (index_of(device.name) != devices.size()) return fail(Code::kAlreadyExists, "name is taken");
  added.push_back(device);
  vm::DeviceReport& report = guest(device.name);
  report.socket = device.socket;
  report.client = device.client;
  if (device.message_queue) report.bit_two = wire::BitTwo::kMessageVq;
  report.state = vm::State::kWaiting;
  return {};
}

Result<void> FakeBackend::remove(std::string_view name) {
  const std::size_t i = index_of(name);
  if (i == devices.size()) return unknown(name);
  devices.erase(devices.begin() + static_cast<std::ptrdiff_t>(i));
  return {};
}

Result<void> FakeBackend::inhibit(std::string_view name, bool on) {
  const std::size_t i = index_of(name);
  if (i == devices.size()) return unknown(name);
  devices[i].inhibited = on;
  return {};
}

Result<void> FakeBackend::prefault(std::string_view name, bool on) {
  const std::size_t i = index_of(name);
  if (i == devices.size()) return unknown(name);
  devices[i].prefault = on;
  if (on && !why_no_prefault.empty()) return fail(Code::kUnavailable, why_no_prefault);
  return {};
}

Result<void> FakeBackend::reporting(std::string_view name, bool on) {
  const std::size_t i = index_of(name);
  if (i == devices.size()) return unknown(name);
  devices[i].reporting = on;
  return {};
}

Result<std::uint32_t> FakeBackend::hint(std::string_view name, wire::HintAction action) {
  const std::size_t i = index_of(name);
  if (i == devices.size()) return unknown(name);
  devices[i].hints.command_id = config.command_hints(action);
  return devices[i].hints.command_id;
}

Result<void> FakeBackend::move(std::string_view name, unsigned lcore) {
  const std::size_t i = index_of(name);
  if (i == devices.size()) return unknown(name);
  for (const lcore::LcoreReport& report : lcore_reports) {
    if (report.lcore != lcore || report.role != "poll") continue;
    devices[i].lcore = lcore;
    return {};
  }
  return fail(Code::kInvalidArgument, "does not poll");
}

}  // namespace vballoon::service
