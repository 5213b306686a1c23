// SPDX-License-Identifier: BSD-3-Clause
//
// control/fake_backend.hpp - devices that exist only in a map, for the RPC server.
// Thread: the event loop's, once the loop runs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "vm/fleet.hpp"

namespace vballoon::service {

class FakeBackend final : public vm::Backend {
 public:
  /// Adds a running guest of 1 GiB named so.
  vm::DeviceReport& guest(const std::string& name);
  /// A sample arrives in that device, as if its guest had answered.
  void answer_stats(const std::string& name, std::uint64_t free_bytes);

  [[nodiscard]] std::vector<vm::DeviceReport> list() const override { return devices; }
  [[nodiscard]] Result<vm::DeviceReport> show(std::string_view name) const override;
  Result<std::uint64_t> set_target(std::string_view name, const vm::Target& target) override;
  [[nodiscard]] vm::Kept kept(std::string_view) const override {
    return {why_not_kept.empty(), why_not_kept};
  }
  void each_pressure(const VisitPressure& visit) const override {
    for (const auto& device : devices) visit(device.name, device.pressure_messages);
  }
  Result<void> request_stats(std::string_view name) override;
  Result<void> add(const vm::Settings& device) override;
  Result<void> remove(std::string_view name) override;
  Result<void> inhibit(std::string_view name, bool on) override;
  [[nodiscard]] std::optional<vm::AutomaticWord> automatic(std::string_view name) const override {
    const auto word = words.find(std::string(name));
    return word == words.end() ? std::nullopt : std::optional(word->second);
  }
  void keep_automatic(std::string_view name, vm::AutomaticWord word) override {
    words[std::string(name)] = word;
  }
  Result<void> prefault(std::string_view name, bool on) override;
  Result<void> reporting(std::string_view name, bool on) override;
  Result<std::uint32_t> hint(std::string_view name, wire::HintAction action) override;
  Result<void> move(std::string_view name, unsigned lcore) override;
  [[nodiscard]] std::vector<lcore::LcoreReport> lcores() const override { return lcore_reports; }

  std::vector<vm::DeviceReport> devices;
  std::vector<vm::Settings> added;
  std::map<std::string, vm::AutomaticWord> words;  ///< outlive the daemon
  std::vector<lcore::LcoreReport> lcore_reports;
  bool answers_stats = true;  ///< at once; else only answer_stats() does
  unsigned stats_requests = 0;
  std::string why_not_kept;      ///< of all wishes
  std::string why_no_prefault;   ///< of all devices
  vm::Target last_target;        ///< that was asked for
  datapath::ConfigSpace config;  ///< of all of them

 private:
  [[nodiscard]] std::size_t index_of(std::string_view name) const;
};

}  // namespace vballoon::service
