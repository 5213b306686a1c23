// SPDX-License-Identifier: BSD-3-Clause
//
// service/vhost_backend.hpp - the devices behind the RPC server: a vhost::Server.
// Thread: the control thread.
#pragma once

#include <functional>
#include <optional>

#include "vhost/server.hpp"
#include "vm/fleet.hpp"

namespace vballoon::service {

class VhostBackend final : public vm::Backend {
 public:
  using Lcores = std::function<std::vector<lcore::LcoreReport>()>;

  /// @param lcores  asked what each lcore does; its devices are counted here.
  /// @param group   of the sockets of devices that name none.
  VhostBackend(vhost::Server& server, Lcores lcores, std::optional<gid_t> group)
      : server_(server), lcores_(std::move(lcores)), group_(group) {}

  [[nodiscard]] std::vector<vm::DeviceReport> list() const override;
  [[nodiscard]] Result<vm::DeviceReport> show(std::string_view name) const override;
  Result<std::uint64_t> set_target(std::string_view name, const vm::Target& target) override;
  [[nodiscard]] vm::Kept kept(std::string_view name) const override;
  void each_pressure(const VisitPressure& visit) const override;
  Result<void> request_stats(std::string_view name) override;
  Result<void> inhibit(std::string_view name, bool on) override;
  [[nodiscard]] std::optional<vm::AutomaticWord> automatic(std::string_view name) const override;
  void keep_automatic(std::string_view name, vm::AutomaticWord word) override;
  Result<void> prefault(std::string_view name, bool on) override;
  Result<void> reporting(std::string_view name, bool on) override;
  Result<std::uint32_t> hint(std::string_view name, wire::HintAction action) override;
  Result<void> move(std::string_view name, unsigned lcore) override;
  Result<void> add(const vm::Settings& device) override;
  Result<void> remove(std::string_view name) override;
  /// All of it or nothing; see vhost::Server::change().
  Result<void> change(const std::vector<std::string>& remove, const std::vector<vm::Settings>& add);
  [[nodiscard]] std::vector<lcore::LcoreReport> lcores() const override;

 private:
  [[nodiscard]] Result<vhost::DeviceSpec> spec_of(const vm::Settings& device) const;

  vhost::Server& server_;
  const Lcores lcores_;
  const std::optional<gid_t> group_;
};

}  // namespace vballoon::service
