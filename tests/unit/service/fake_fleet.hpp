// SPDX-License-Identifier: BSD-3-Clause
//
// service/fake_fleet.hpp - VMs that exist only in memory and answer at once.
// Thread: the event loop's, once the loop runs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "vm/fleet.hpp"

namespace vballoon::service {

class FakeFleet;

class FakeVm final : public vm::Vm {
 public:
  FakeVm(FakeFleet& fleet, vm::Settings settings) : fleet_(fleet), settings_(std::move(settings)) {}

  [[nodiscard]] const vm::Settings& settings() const noexcept override { return settings_; }
  [[nodiscard]] vm::VmFigures figures() const override { return shown; }
  [[nodiscard]] vm::DeviceReport report() const override {
    ++reports;
    return shown;
  }
  [[nodiscard]] std::uint64_t pressure_messages() const noexcept override {
    return shown.pressure_messages;
  }
  Result<vm::TargetSet> set_target(const vm::Target& target) override;
  [[nodiscard]] vm::Kept kept() const override;
  Result<void> request_stats() override;
  void inhibit(bool on) override { shown.inhibited = on; }
  [[nodiscard]] std::optional<vm::AutomaticWord> automatic() const override;
  void keep_automatic(vm::AutomaticWord word) override;
  Result<void> prefault(bool on) override;
  void reporting(bool on) override { shown.reporting = on; }
  void effort(std::uint64_t effort) override { efforts.push_back(effort); }
  Result<std::uint32_t> hint(wire::HintAction action) override;
  Result<void> move_to(unsigned lcore) override;
  Result<void> readmit() override;

  vm::DeviceReport shown;
  mutable unsigned reports = 0;        // that were made
  std::vector<std::uint64_t> efforts;  // as they were set

 private:
  FakeFleet& fleet_;
  const vm::Settings settings_;
};

class FakeFleet final : public vm::Fleet {
 public:
  /// Adds a running guest of 1 GiB named so.
  vm::DeviceReport& guest(const std::string& name);
  /// A sample arrives in that VM, as if its guest had answered.
  void answer_stats(const std::string& name, std::uint64_t free_bytes);

  /// @pre There is one of that name.
  [[nodiscard]] FakeVm& vm(const std::string& name);
  [[nodiscard]] vm::DeviceReport& report(const std::string& name) { return vm(name).shown; }
  [[nodiscard]] bool empty() const noexcept { return vms_.empty(); }

  [[nodiscard]] std::span<vm::Vm* const> vms() const override { return vms_; }
  [[nodiscard]] Result<vm::Vm*> find(std::string_view name) const override;
  Result<void> change(std::span<const std::string> remove,
                      std::span<const vm::Settings> add) override;
  [[nodiscard]] std::vector<lcore::LcoreReport> lcores() const override { return lcore_reports; }
  [[nodiscard]] std::vector<vm::KeptSettings> left() const override { return left_by_earlier; }
  void keep_settings(const vm::KeptSettings& settings) override {
    settings_kept[settings.added.name] = settings;
  }

  std::vector<vm::Settings> added;                 ///< by change()
  std::map<std::string, vm::AutomaticWord> words;  ///< outlive the daemon
  std::vector<lcore::LcoreReport> lcore_reports;
  std::vector<vm::KeptSettings> left_by_earlier;          ///< what left() has
  std::map<std::string, vm::KeptSettings> settings_kept;  ///< by name
  bool answers_stats = true;  ///< at once; else only answer_stats() does
  unsigned stats_requests = 0;
  std::string why_not_kept;      ///< of all wishes
  std::string why_no_prefault;   ///< of all VMs
  vm::Target last_target;        ///< that was asked for
  datapath::ConfigSpace config;  ///< of all of them

 private:
  FakeVm& make(const vm::Settings& settings);

  std::vector<std::unique_ptr<FakeVm>> owned_;
  std::vector<vm::Vm*> vms_;  // of owned_
};

}  // namespace vballoon::service
