// SPDX-License-Identifier: BSD-3-Clause
//
// policy/remembered.hpp - what a law remembers of each VM, by name, for as long as the VM is there.
// Thread: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

namespace vballoon::policy {

/// Has an entry for each VM that of() was asked for in this turn or in the one before.
template <typename T>
class Remembered {
 public:
  /// @return the VM's entry; a new one where the VM was not there in the turn before. The entry
  ///         stays where it is until the VM is forgotten.
  [[nodiscard]] T& of(const std::string& name) {
    Entry& entry = entries_[name];
    if (std::exchange(entry.turn, turn_) != turn_) ++present_;
    return entry.what;
  }

  /// Forgets the VMs that of() was not asked for in this turn.
  void end_turn() {
    if (present_ != entries_.size()) {
      std::erase_if(entries_, [this](const auto& one) { return one.second.turn != turn_; });
    }
    present_ = 0;
    ++turn_;
  }

 private:
  struct Entry {
    T what{};
    std::uint64_t turn = 0;  ///< the last turn in which of() was asked for it
  };
  std::unordered_map<std::string, Entry> entries_;
  std::size_t present_ = 0;  // entries that of() was asked for in this turn
  std::uint64_t turn_ = 1;
};

}  // namespace vballoon::policy
