// SPDX-License-Identifier: BSD-3-Clause
//
// service/events/watcher.hpp - what happened to VMs between two looks at them.
// Pure: the same looks give the same events. Thread: one owner.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vm/figures.hpp"

namespace vballoon::service {

/// A VM at one moment.
struct VmLook {
  std::string name;
  vm::VmFigures figures;
  std::string reason;                 ///< why the VM is broken or set aside, where is_news()
  bool automatic = false;             ///< the law sets its target
  std::string_view rule;              ///< the law's last one for it; empty: none
  std::uint64_t restarts = 0;         ///< ends of the daemon that it has outlived
  std::uint64_t last_restart_ms = 0;  ///< for how long nobody served it then
};

struct News {
  std::string vm;
  std::string_view kind;  ///< docs/rpc.md has them
  std::string text;       ///< one sentence without the VM's name
};

class EventWatcher {
 public:
  using Clock = std::chrono::steady_clock;

  /// A driver that did not move for so long, and is not at its target, is stalled: as the law has
  /// it.
  static constexpr std::chrono::seconds kStalledAfter{5};
  /// So much of a balloon that the host does not have, for kStalledAfter, is told.
  static constexpr std::uint64_t kMuchKept = 64 << 20;

  /// @return what happened since the look before, at most one event of a kind for each VM. The
  ///         first look gives only which VMs have outlived an earlier daemon.
  [[nodiscard]] std::vector<News> look(std::span<const VmLook> vms, Clock::time_point now);

  /// @return whether the next look, with the VM in this state, tells of the state.
  [[nodiscard]] bool is_news(std::string_view name, vm::State state) const;

 private:
  struct Known {
    vm::State state = vm::State::kWaiting;
    std::uint64_t target = 0;
    std::uint64_t actual = 0;
    Clock::time_point moved{};       // when `actual` or the target changed last
    Clock::time_point much_since{};  // for how long much is kept
    bool guest_known = false;        // at the last look
    bool reached = true;             // this target, and that was told
    bool stalled = false;            // it was told
    bool much_kept = false;          // at the last look
    bool much_told = false;
    std::uint64_t round = 0;  // of the last look that had the VM
  };

  void first_seen(const VmLook& vm, Known* known, std::vector<News>* news) const;
  static void look_at_state(const VmLook& vm, Known* known, std::vector<News>* news);
  static void look_at_target(const VmLook& vm, Clock::time_point now, Known* known,
                             std::vector<News>* news);
  static void look_at_kept(const VmLook& vm, Clock::time_point now, Known* known,
                           std::vector<News>* news);
  void forget_the_removed(std::vector<News>* news);

  std::map<std::string, Known, std::less<>> known_;
  std::uint64_t round_ = 0;
};

}  // namespace vballoon::service
