// SPDX-License-Identifier: BSD-3-Clause
//
// keep/store.hpp - descriptors that the service manager keeps for the next process.
// Thread: the control thread.
// Why:    systemd's store, or vballoon-keeper where there is no systemd: the same protocol, so one
//         way. What is handed over is not there yet when a call returns, but will be, even if this
//         process ends at once. It is there for the next process only, which takes it at its start.
// Source: sd_notify(3), FDSTORE=1, FDSTOREREMOVE=1, FDNAME=, FDPOLL=0, BARRIER=1; sd_listen_fds(3).
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "keep/notifier.hpp"

namespace vballoon::keep {

/// 1 to 32 of [a-z0-9._-]. systemd gives others a name of its own; and all names go to the next
/// process as one string, of which the kernel takes 128 KiB: 3,900 of these fit.
[[nodiscard]] bool is_store_name(std::string_view name) noexcept;

/// What the service manager handed to this process at its start.
class Inherited {
 public:
  /// Reads the environment, and clears it for children. From here on the descriptors are
  /// close-on-exec.
  /// @pre  once a process, before descriptors are closed that it did not open.
  [[nodiscard]] static Inherited take();

  /// The one of this name, the caller's from here on; nothing where there is none, or more.
  [[nodiscard]] std::optional<UniqueFd> take(std::string_view name);
  /// What is left, by name; a name may be there more than once.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  friend class Store;
  std::multimap<std::string, UniqueFd, std::less<>> left_;
};

class Store {
 public:
  /// @param manager  outlives this.
  explicit Store(const Notifier& manager) noexcept : manager_(manager) {}

  /// Somebody is there who keeps them.
  [[nodiscard]] bool keeps() const noexcept { return manager_.listened(); }

  /// Keeps it under this name until remove(), though its peer hangs up. It stays ours as well.
  /// @pre     keeps(); is_store_name(); nothing of this name, nor this open file, is in there.
  /// @errors  kHost: the manager cannot be reached.
  [[nodiscard]] Result<void> add(std::string_view name, int fd) const;
  /// All of this name.
  void remove(std::string_view name) const noexcept;

  /// Until the manager has dealt with all that it was told.
  /// @return whether it did in time.
  [[nodiscard]] bool settle(std::chrono::milliseconds patience) const;

  /// Closes what nobody took of this, here and in the store, and says so in the log.
  void discard(Inherited&& rest) const;

 private:
  const Notifier& manager_;
};

}  // namespace vballoon::keep
