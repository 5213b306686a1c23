// SPDX-License-Identifier: BSD-3-Clause
//
// policy/observe.hpp - makes a law's observation of the figures of the host and its VMs.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/host/memory.hpp"
#include "policy/observation.hpp"
#include "vm/figures.hpp"
#include "vm/settings.hpp"
#include "vm/state/device_state.hpp"

namespace vballoon::policy {

/// What the operator wants of one VM.
struct VmWish {
  bool automatic = false;
  bool configured = false;  ///< automatic by the configuration
  Limits limits{};
};
[[nodiscard]] policy::Limits limits_of(const vm::Settings& settings) noexcept;
/// @param said  a person's word, if there is one. It counts until the configuration changes.
[[nodiscard]] VmWish wish_of(const vm::Settings& device,
                             std::optional<vm::AutomaticWord> said) noexcept;

/// Makes an observation: the host's memory, the VMs, and the pools that VMs are backed by or bound
/// to. Huge pages have a pool for each page size, and for each node where the guest is bound to
/// one. Ordinary pages belong to the host's pool. Where the guest is bound to a node, its ordinary
/// pages belong to that node's pool as well.
class Observer {
 public:
  /// @param host         outlives the observer.
  /// @param reserve_mib  0: a tenth of the host, within bounds. Huge pages have no reserve, because
  ///                     nothing but guests uses them.
  Observer(const MemoryFigures& host, std::uint64_t reserve_mib);

  void add(const std::string& name, const vm::VmFigures& figures, const VmWish& wish);

  /// @return the observation; its VMs are in the order of add().
  [[nodiscard]] Observation take() { return std::move(seen_); }
  /// Reserves room for so many VMs.
  void expect(std::size_t vms) { seen_.vms.reserve(vms); }

 private:
  /// What the VMs of one pool have in common.
  struct Kind {
    std::uint64_t page_bytes;
    std::optional<unsigned> node;
    std::optional<std::size_t> pool;
  };

  [[nodiscard]] std::optional<std::size_t> pool_of(std::uint64_t page_bytes,
                                                   std::optional<unsigned> node);
  [[nodiscard]] std::optional<PoolObservation> node_pool(unsigned number) const;
  [[nodiscard]] PoolObservation huge_pool(std::uint64_t page_bytes,
                                          std::optional<unsigned> node) const;

  const MemoryFigures& host_;
  Observation seen_;
  std::vector<Kind> kinds_;  // few, so each VM looks through all of them
};

}  // namespace vballoon::policy
