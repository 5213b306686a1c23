// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/pressure_watch.hpp - be woken when the host is short of memory; nothing is sampled.
// Thread: one at a time.
// Source: Linux, Documentation/accounting/psi.rst, admin-guide/cgroup-v2.rst (memory.pressure),
//         admin-guide/cgroup-v1/memory.rst, section 11 (memory.pressure_level).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "policy/host/paths.hpp"

namespace vballoon::policy {

/// Of version 1: the kernel reclaims at all; it reclaims and swaps with effort; it is close to OOM.
enum class PressureLevel { kLow, kMedium, kCritical };

/// Of version 1: which cgroups' pressure is told. kDefault: a child's as well, but not where
/// somebody listens in between; kHierarchy: a child's in any case; kLocal: none but its own.
enum class PressureReach { kDefault, kHierarchy, kLocal };

class PressureWatch {
 public:
  enum class Kind {
    kSystemPsi,    // /proc/pressure/memory
    kCgroupPsi,    // memory.pressure of a cgroup, version 2
    kCgroupLevel,  // memory.pressure_level of a cgroup, version 1
  };

  struct Options {
    Paths paths{};
    std::string cgroup{};  // its folder; empty: the machine
    // PSI: tasks waited for memory so long within the window. A window is 0.5 to 10 s, and a
    // multiple of 2 s for who lacks CAP_SYS_RESOURCE.
    std::chrono::microseconds stall = std::chrono::milliseconds(100);
    std::chrono::microseconds window = std::chrono::seconds(2);
    PressureLevel level = PressureLevel::kLow;
    PressureReach reach = PressureReach::kDefault;
  };

  struct Taken {
    /// At least so many since the last time. PSI tells once a window at most; version 1 once every
    /// 512 pages that the kernel looked at, so hundreds a second.
    std::uint64_t events = 0;
    /// The cgroup was removed: no event will ever come. Close it; of PSI it stays ready.
    bool gone = false;
  };

  /// Of the cgroup where Options names one, else of the machine. Opens files for writing: call it
  /// before that is forbidden.
  /// @errors kInvalidArgument when the window or the stall cannot be, or the folder is no cgroup;
  ///         kNotFound when the cgroup does not exist; kUnavailable when the kernel does not have
  ///         it, or not for us; kHost otherwise.
  [[nodiscard]] static Result<PressureWatch> open(const Options& options);

  /// Of a process that polls: ready for events() is pressure. PSI reports an event to the one
  /// poll() that sees it first, so nobody else may poll this descriptor.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// POLLPRI of PSI, POLLIN of an eventfd. asio: wait_error for the first, wait_read for the other.
  [[nodiscard]] short events() const noexcept;
  [[nodiscard]] Kind kind() const noexcept { return kind_; }

  /// @pre the descriptor was found ready: what PSI told the poll() before is not told again, so it
  ///      counts as one event.
  [[nodiscard]] Taken take() noexcept;

  /// "PSI of /sys/fs/cgroup/vms: 100 ms of stall within 2000 ms", for a person.
  [[nodiscard]] const std::string& describe() const noexcept { return text_; }

 private:
  PressureWatch(Kind kind, UniqueFd fd, std::string text)
      : kind_(kind), fd_(std::move(fd)), text_(std::move(text)) {}

  static Result<PressureWatch> open_psi(const Options& options, Kind kind, const std::string& file);
  static Result<PressureWatch> open_level(const Options& options);

  Kind kind_;
  UniqueFd fd_;     // of PSI: the trigger ends with it
  UniqueFd alive_;  // of version 1: cannot be read once the cgroup is gone
  std::string text_;
};

/// A watch, or none. What is shown to the operator either way.
struct BestWatch {
  std::optional<PressureWatch> watch;
  std::string why;  // which, and what better one could not be had
};

/// That of the cgroup, if one is named, or else the machine's PSI, which hears the cgroup's tasks
/// as well as all others. Never fails: without a watch its user goes by the clock alone.
[[nodiscard]] BestWatch open_best(const PressureWatch::Options& options);

/// "low", "medium", "critical".
[[nodiscard]] std::string_view to_string(PressureLevel level) noexcept;

}  // namespace vballoon::policy
