// SPDX-License-Identifier: BSD-3-Clause
#include "service/vhost_backend.hpp"

#include "service/process/group.hpp"

namespace vballoon::service {

std::vector<vm::DeviceReport> VhostBackend::list() const {
  return server_.list();
}

Result<vm::DeviceReport> VhostBackend::show(std::string_view name) const {
  return server_.show(name);
}

Result<std::uint64_t> VhostBackend::set_target(std::string_view name, const vm::Target& target) {
  return server_.set_target(name, target);
}

vm::Kept VhostBackend::kept(std::string_view name) const {
  return server_.kept(name).value_or(vm::Kept());
}

void VhostBackend::each_pressure(const VisitPressure& visit) const {
  server_.each_pressure(visit);
}

Result<void> VhostBackend::request_stats(std::string_view name) {
  return server_.request_stats(name);
}

Result<void> VhostBackend::inhibit(std::string_view name, bool on) {
  return server_.inhibit(name, on);
}

std::optional<vm::AutomaticWord> VhostBackend::automatic(std::string_view name) const {
  return server_.automatic(name).value_or(std::nullopt);
}

void VhostBackend::keep_automatic(std::string_view name, vm::AutomaticWord word) {
  (void)server_.keep_automatic(name, word);
}

Result<void> VhostBackend::prefault(std::string_view name, bool on) {
  return server_.prefault(name, on);
}

Result<void> VhostBackend::reporting(std::string_view name, bool on) {
  return server_.reporting(name, on);
}

Result<std::uint32_t> VhostBackend::hint(std::string_view name, wire::HintAction action) {
  return server_.hint(name, action);
}

Result<void> VhostBackend::move(std::string_view name, unsigned lcore) {
  return server_.move(name, lcore);
}

std::vector<lcore::LcoreReport> VhostBackend::lcores() const {
  std::vector<lcore::LcoreReport> lcores = lcores_();
  for (const auto& device : server_.list()) {
    for (lcore::LcoreReport& lcore : lcores) {
      const bool served = lcore.role == "poll" && lcore.lcore == device.lcore && !device.alone;
      if (served) ++lcore.devices;
    }
  }
  return lcores;
}

Result<vhost::DeviceSpec> VhostBackend::spec_of(const vm::Settings& device) const {
  const auto named = find_group(device.group, "device.group");
  if (!named) return tl::unexpected(named.error());
  return vhost::DeviceSpec{.name = device.name,
                           .socket = device.socket,
                           .client = device.client,
                           .prefault = device.prefault,
                           .packed = device.packed,
                           .page_poison = device.page_poison,
                           .indirect = device.indirect,
                           .reporting = device.reporting,
                           .message_queue = device.message_queue,
                           .group = *named ? *named : group_};
}

Result<void> VhostBackend::add(const vm::Settings& device) {
  const auto spec = spec_of(device);
  if (!spec) return tl::unexpected(spec.error());
  return server_.add(*spec);
}

Result<void> VhostBackend::remove(std::string_view name) {
  return server_.remove(name);
}

Result<void> VhostBackend::change(const std::vector<std::string>& remove,
                                  const std::vector<vm::Settings>& add) {
  std::vector<vhost::DeviceSpec> specs;
  for (const vm::Settings& device : add) {
    auto spec = spec_of(device);
    if (!spec) return tl::unexpected(spec.error());
    specs.push_back(*std::move(spec));
  }
  return server_.change(remove, specs);
}

}  // namespace vballoon::service
