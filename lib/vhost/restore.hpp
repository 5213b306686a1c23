// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/restore.hpp - a connection of an earlier daemon, on its way to librte_vhost.
// Thread: the device's lock guards all of it.
// Why:    librte_vhost accepts connections and reads messages, and nothing else makes it serve a
//         VM. So it accepts one end of a socket pair, and reads there what the VMM said to the
//         earlier daemon. The last message, which no VMM sends, is for the device. With it the
//         VMM's connection takes the place of that end, under the same number.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "vhost/device_spec.hpp"
#include "vhost/said.hpp"
#include "vhost/stored_bag.hpp"
#include "vm/state/device_state.hpp"

namespace vballoon::vhost {

/// The request of the last message that is repeated. The protocol has no such number.
inline constexpr auto kSwap = static_cast<wire::Request>(0x56420001);

class Restore {
 public:
  /// @param left  what the state file has of the guest.
  /// @pre   the record was decoded with these descriptors.
  Restore(Inheritance inheritance, const std::optional<vm::Left>& left);

  /// @return why it cannot be taken up by a device of these settings; empty where it can.
  [[nodiscard]] std::string why_not(const DeviceSpec& spec) const;
  /// A ring that was kicked may have been served, and then its place is in the state file.
  [[nodiscard]] bool needs_state() const noexcept;
  /// Counts this attempt in the bag, before anything can go wrong. @errors of keep::Bag::put().
  /// @param door  the device's, from now on; nothing: it has none.
  [[nodiscard]] Result<void> count(keep::Bag& bag, const std::optional<Door>& door);
  /// Repeats all that was said. @return the end that librte_vhost is to accept. @errors kHost.
  [[nodiscard]] Result<UniqueFd> begin();

  [[nodiscard]] const Record& record() const noexcept { return record_; }
  /// With this one.
  [[nodiscard]] vm::Restarts restarts() const noexcept;
  [[nodiscard]] const std::optional<vm::Left>& left() const noexcept { return left_; }
  [[nodiscard]] std::optional<vm::RingRecord> left_of(unsigned ring) const noexcept;
  [[nodiscard]] int connection() const noexcept { return connection_.get(); }
  [[nodiscard]] UniqueFd take_answers() noexcept { return std::move(answers_); }
  /// Of an in-flight region that may have been sent (Said); -1 where there is none.
  [[nodiscard]] int witness() const noexcept { return said_.witness(); }
  /// For the device, which goes on hearing.
  [[nodiscard]] Said take_said() noexcept { return std::move(said_); }

 private:
  [[nodiscard]] bool is_of_this_kind(const vm::Settings& settings) const;
  [[nodiscard]] Result<void> say(int to, const SaidMessage& message,
                                 const std::vector<int>& fds) const;
  [[nodiscard]] SaidMessage with_place(SaidMessage message) const;

  Record record_;
  std::optional<vm::Left> left_;
  std::optional<std::uint64_t> last_sign_ms_;
  UniqueFd connection_;
  UniqueFd answers_;
  Said said_;
  UniqueFd ours_;  // of the pair, until the swap: librte_vhost may answer
};

}  // namespace vballoon::vhost
