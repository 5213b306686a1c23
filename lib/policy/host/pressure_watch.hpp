// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/pressure_watch.hpp - a descriptor that becomes ready when the host is short of
//                                  memory.
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

/// Version 1: the kernel reclaims at all; it reclaims and swaps with effort; it is close to OOM.
enum class PressureLevel { kLow, kMedium, kCritical };

/// Version 1: whose pressure the watch hears. kDefault: the cgroup's, and a child's unless a cgroup
/// in between has a listener; kHierarchy: the cgroup's and every child's; kLocal: the cgroup's
/// alone.
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
    std::string cgroup{};  // the cgroup's folder; empty: the machine
    // PSI: an event is that tasks wait for memory for `stall` within a window. A window is 0.5 to
    // 10 s. Without CAP_SYS_RESOURCE it must be a multiple of 2 s.
    std::chrono::microseconds stall = std::chrono::milliseconds(100);
    std::chrono::microseconds window = std::chrono::seconds(2);
    PressureLevel level = PressureLevel::kLow;
    PressureReach reach = PressureReach::kDefault;
  };

  struct Taken {
    /// The number of events since the last take(), or a lower one. PSI signals once a window at
    /// most; version 1 once every 512 pages that the kernel looked at, so hundreds of times a
    /// second.
    std::uint64_t events = 0;
    /// The cgroup was removed, so no event will come any more. Close the watch: a PSI descriptor
    /// stays ready.
    bool gone = false;
  };

  /// Watches the cgroup where Options names one, else the machine. Opens files for writing, so call
  /// it before the filter of system calls forbids that.
  /// @errors kInvalidArgument when the window or the stall is out of range, or the folder is no
  ///         cgroup; kNotFound when the cgroup does not exist; kUnavailable when the kernel has no
  ///         such trigger, or does not let this process use it; kHost otherwise.
  [[nodiscard]] static Result<PressureWatch> open(const Options& options);

  /// The descriptor to poll: it is ready for events() under pressure. PSI signals an event only to
  /// the first poll() that sees it, so only one thread may poll this descriptor.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// POLLPRI for PSI (asio: wait_error), POLLIN for an eventfd (asio: wait_read).
  [[nodiscard]] short events() const noexcept;
  [[nodiscard]] Kind kind() const noexcept { return kind_; }

  /// Takes the events. @pre a poll() said that the descriptor is ready. PSI does not signal that
  /// event again, so take() counts it as one.
  [[nodiscard]] Taken take() noexcept;

  /// @return a text for people: "PSI of /sys/fs/cgroup/vms: 100 ms of stall within 2000 ms".
  [[nodiscard]] const std::string& describe() const noexcept { return text_; }

 private:
  PressureWatch(Kind kind, UniqueFd fd, std::string text)
      : kind_(kind), fd_(std::move(fd)), text_(std::move(text)) {}

  static Result<PressureWatch> open_psi(const Options& options, Kind kind, const std::string& file);
  static Result<PressureWatch> open_level(const Options& options);

  Kind kind_;
  UniqueFd fd_;     // PSI: the trigger ends when this is closed
  UniqueFd alive_;  // version 1: a file that cannot be read once the cgroup is gone
  std::string text_;
};

/// A watch, or nothing; and a text for the operator in either case.
struct BestWatch {
  std::optional<PressureWatch> watch;
  std::string why;  // which watch this is, and why a better one could not be opened
};

/// Opens the cgroup's watch if Options names a cgroup. Otherwise, or where that fails, it opens the
/// machine's PSI, which hears the cgroup's tasks and all others. Where that fails as well, there is
/// no watch, and turns come by the clock alone.
[[nodiscard]] BestWatch open_best(const PressureWatch::Options& options);

/// "low", "medium", "critical".
[[nodiscard]] std::string_view to_string(PressureLevel level) noexcept;

}  // namespace vballoon::policy
