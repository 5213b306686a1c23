// SPDX-License-Identifier: BSD-3-Clause
//
// vm/fleet.hpp - what the RPC server asks of the devices, without knowing vhost.
// The daemon puts a vhost::Server behind it, the tests something that answers at once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "datapath/config_space.hpp"
#include "lcore/report.hpp"
#include "vm/report.hpp"
#include "vm/settings.hpp"
#include "vm/state/device_state.hpp"
#include "vm/target.hpp"

namespace vballoon::vm {

/// Thread: the control thread only. No call waits on a guest.
class Backend {
 public:
  virtual ~Backend() = default;

  [[nodiscard]] virtual std::vector<vm::DeviceReport> list() const = 0;
  [[nodiscard]] virtual Result<vm::DeviceReport> show(std::string_view name) const = 0;

  /// @return the target as it now stands.
  virtual Result<std::uint64_t> set_target(std::string_view name, const vm::Target& target) = 0;
  /// Whether what was asked for so far is there for the next daemon.
  [[nodiscard]] virtual vm::Kept kept(std::string_view name) const = 0;

  /// Of each device: its name, and how many messages of pressure its guest sent since it was added.
  /// Costs next to nothing. @pre visit asks nothing of the backend.
  using VisitPressure = std::function<void(const std::string& name, std::uint64_t messages)>;
  virtual void each_pressure(const VisitPressure& visit) const = 0;

  /// The answer arrives later, as a report whose statistics have another sequence.
  virtual Result<void> request_stats(std::string_view name) = 0;

  /// While on, nothing of that guest's memory is discarded.
  virtual Result<void> inhibit(std::string_view name, bool on) = 0;
  /// What an earlier daemon, or this one, was told to keep; nothing where that is not possible.
  [[nodiscard]] virtual std::optional<vm::AutomaticWord> automatic(std::string_view name) const = 0;
  virtual void keep_automatic(std::string_view name, vm::AutomaticWord word) = 0;
  /// While on, memory is put there before the guest gets a page back. An error where that has no
  /// effect with the VMM that is connected; the wish stays.
  virtual Result<void> prefault(std::string_view name, bool on) = 0;
  /// While off, reported pages are returned to the guest as they are.
  virtual Result<void> reporting(std::string_view name, bool on) = 0;
  /// @return the command id that the driver now sees.
  virtual Result<std::uint32_t> hint(std::string_view name, wire::HintAction action) = 0;
  /// Has another poll lcore serve it.
  virtual Result<void> move(std::string_view name, unsigned lcore) = 0;

  virtual Result<void> add(const Settings& device) = 0;
  virtual Result<void> remove(std::string_view name) = 0;

  [[nodiscard]] virtual std::vector<lcore::LcoreReport> lcores() const = 0;
};

}  // namespace vballoon::vm
