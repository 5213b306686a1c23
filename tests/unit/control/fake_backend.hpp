// SPDX-License-Identifier: BSD-3-Clause
//
// control/fake_backend.hpp - devices that exist only in a map, for the RPC server.
// Layer:  tests. Thread: the event loop's, once the loop runs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/backend.hpp"

namespace vballoon::control {

class FakeBackend final : public Backend {
 public:
  /// Adds a running guest of 1 GiB named so.
  device::DeviceReport& guest(const std::string& name);
  /// A sample arrives in that device, as if its guest had answered.
  void answer_stats(const std::string& name, std::uint64_t free_bytes);

  [[nodiscard]] std::vector<device::DeviceReport> list() const override { return devices; }
  [[nodiscard]] Result<device::DeviceReport> show(std::string_view name) const override;
  Result<std::uint64_t> set_target(std::string_view name, const balloon::Target& target) override;
  [[nodiscard]] state::Kept kept(std::string_view) const override {
    return {why_not_kept.empty(), why_not_kept};
  }
  void each_pressure(const VisitPressure& visit) const override {
    for (const auto& device : devices) visit(device.name, device.pressure_messages);
  }
  Result<void> request_stats(std::string_view name) override;
  Result<void> add(const DeviceConfig& device) override;
  Result<void> remove(std::string_view name) override;
  Result<void> inhibit(std::string_view name, bool on) override;
  [[nodiscard]] std::optional<state::AutomaticWord> automatic(
      std::string_view name) const override {
    const auto word = words.find(std::string(name));
    return word == words.end() ? std::nullopt : std::optional(word->second);
  }
  void keep_automatic(std::string_view name, state::AutomaticWord word) override {
    words[std::string(name)] = word;
  }
  Result<void> prefault(std::string_view name, bool on) override;
  Result<void> reporting(std::string_view name, bool on) override;
  Result<std::uint32_t> hint(std::string_view name, balloon::HintAction action) override;
  Result<void> move(std::string_view name, unsigned lcore) override;
  [[nodiscard]] std::vector<LcoreReport> lcores() const override { return lcore_reports; }

  std::vector<device::DeviceReport> devices;
  std::vector<DeviceConfig> added;
  std::map<std::string, state::AutomaticWord> words;  ///< outlive the daemon
  std::vector<LcoreReport> lcore_reports;
  bool answers_stats = true;  ///< at once; else only answer_stats() does
  unsigned stats_requests = 0;
  std::string why_not_kept;     ///< of all wishes
  balloon::Target last_target;  ///< that was asked for
  balloon::ConfigSpace config;  ///< of all of them

 private:
  [[nodiscard]] std::size_t index_of(std::string_view name) const;
};

}  // namespace vballoon::control
