// SPDX-License-Identifier: BSD-3-Clause
//
// control/vhost_backend.hpp - the devices behind the RPC server: a vhost::Server.
// Layer:  control; may include vhost/.
// Thread: the control thread.
#pragma once

#include <functional>
#include <optional>

#include "control/backend.hpp"
#include "vhost/server.hpp"

namespace vballoon::control {

class VhostBackend final : public Backend {
 public:
  using Lcores = std::function<std::vector<LcoreReport>()>;

  /// @param lcores  asked what each lcore does; its devices are counted here.
  /// @param group   of the sockets of devices that name none.
  VhostBackend(vhost::Server& server, Lcores lcores, std::optional<gid_t> group)
      : server_(server), lcores_(std::move(lcores)), group_(group) {}

  [[nodiscard]] std::vector<device::DeviceReport> list() const override;
  [[nodiscard]] Result<device::DeviceReport> show(std::string_view name) const override;
  Result<std::uint64_t> set_target(std::string_view name, const balloon::Target& target) override;
  [[nodiscard]] state::Kept kept(std::string_view name) const override;
  void each_pressure(const VisitPressure& visit) const override;
  Result<void> request_stats(std::string_view name) override;
  Result<void> inhibit(std::string_view name, bool on) override;
  [[nodiscard]] std::optional<state::AutomaticWord> automatic(std::string_view name) const override;
  void keep_automatic(std::string_view name, state::AutomaticWord word) override;
  Result<void> prefault(std::string_view name, bool on) override;
  Result<void> reporting(std::string_view name, bool on) override;
  Result<std::uint32_t> hint(std::string_view name, balloon::HintAction action) override;
  Result<void> move(std::string_view name, unsigned lcore) override;
  Result<void> add(const DeviceConfig& device) override;
  Result<void> remove(std::string_view name) override;
  /// All of it or nothing; see vhost::Server::change().
  Result<void> change(const std::vector<std::string>& remove, const std::vector<DeviceConfig>& add);
  [[nodiscard]] std::vector<LcoreReport> lcores() const override;

 private:
  [[nodiscard]] Result<vhost::DeviceSpec> spec_of(const DeviceConfig& device) const;

  vhost::Server& server_;
  const Lcores lcores_;
  const std::optional<gid_t> group_;
};

}  // namespace vballoon::control
