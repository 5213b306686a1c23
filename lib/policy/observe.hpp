// SPDX-License-Identifier: BSD-3-Clause
//
// policy/observe.hpp - from the figures of the host and its VMs to what a law looks at.
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
  bool configured = false;  ///< automatic, as the configuration has it
  Limits limits{};
};
[[nodiscard]] policy::Limits limits_of(const vm::Settings& settings) noexcept;
/// @param said  by a person, if anything: it counts until the configuration says something new.
[[nodiscard]] VmWish wish_of(const vm::Settings& device,
                             std::optional<vm::AutomaticWord> said) noexcept;

/// Makes an observation: the host's memory, its VMs, and the pools that these are bound to or
/// backed by. Huge pages are a pool by page size, and by node where the guest is bound to one.
/// Ordinary pages are the host's; those bound to a node are the node's as well.
class Observer {
 public:
  /// @param host         outlives the observer.
  /// @param reserve_mib  0: a tenth of the host. Huge pages have no reserve: nothing else uses
  ///                     them.
  Observer(const MemoryFigures& host, std::uint64_t reserve_mib);

  void add(const std::string& name, const vm::VmFigures& figures, const VmWish& wish);

  /// VMs are in the order in which they were added.
  [[nodiscard]] Observation take() { return std::move(seen_); }
  /// What take() is to have room for.
  void expect(std::size_t vms) { seen_.vms.reserve(vms); }

 private:
  /// What VMs of one pool have in common.
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
  std::vector<Kind> kinds_;  // a handful: looked through for each VM
};

}  // namespace vballoon::policy
