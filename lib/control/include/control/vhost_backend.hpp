// SPDX-License-Identifier: BSD-3-Clause
//
// control/vhost_backend.hpp - the devices behind the RPC server: a vhost::Server.
// Layer:  control; may include vhost/.
// Thread: the control thread.
#pragma once

#include "control/backend.hpp"
#include "vhost/server.hpp"

namespace vballoon::control {

class VhostBackend final : public Backend {
 public:
  explicit VhostBackend(vhost::Server& server) noexcept : server_(server) {}

  [[nodiscard]] std::vector<device::DeviceReport> list() const override;
  [[nodiscard]] Result<device::DeviceReport> show(std::string_view name) const override;
  Result<std::uint64_t> set_target(std::string_view name, std::uint64_t bytes) override;
  Result<void> request_stats(std::string_view name) override;
  Result<void> add(const DeviceConfig& device) override;
  Result<void> remove(std::string_view name) override;

 private:
  vhost::Server& server_;
};

}  // namespace vballoon::control
