// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/kept_connection.hpp - what of a device and of its connection outlives the process.
// Invariant: the bag has all that was said on the connection that is served, as of the newest
//            message that was answered; or it has the device alone.
// Thread: the device's lock guards all of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "vhost/kept_door.hpp"
#include "vhost/record.hpp"
#include "vhost/said.hpp"
#include "vhost/stored_bag.hpp"
#include "vm/notices.hpp"

namespace vballoon::vhost {

class KeptConnection {
 public:
  /// Nothing is kept until use(). @param notices  outlives this.
  KeptConnection(std::string device, vm::Notices& notices) noexcept
      : device_(std::move(device)), notices_(notices) {}

  void use(std::unique_ptr<StoredBag> bag) noexcept { bag_ = std::move(bag); }
  [[nodiscard]] bool on() const noexcept { return bag_ != nullptr; }

  /// The socket at which its VMMs knock; it is in each record from now on.
  /// @pre  it stays open while this object lives, or until forget().
  void set_door(const Door& door) noexcept { door_ = door; }
  [[nodiscard]] const std::optional<Door>& door() const noexcept { return door_; }
  /// The device's settings, as lines; in each record from now on.
  /// @return whether they are other ones than before.
  [[nodiscard]] bool set_settings(std::string lines);

  /// On the connection that is served, or on the one that waits.
  [[nodiscard]] Said& said() noexcept { return said_; }
  [[nodiscard]] Said& waiting() noexcept { return waiting_; }
  /// The one that waited is served from now on.
  void advance() noexcept { said_ = std::exchange(waiting_, {}); }

  /// Records the connection that is served. Where that is impossible, nothing is kept of it.
  /// @param record  all but what was said.
  /// @param connection, answers  to be kept with it.
  void put(Record record, int connection, int answers);
  /// Records the device alone: nobody is connected.
  void put_device();
  /// Whether a record with these would be another one than the newest.
  [[nodiscard]] bool differs(bool undecided, bool ledger_whole) const noexcept {
    return full_ && (undecided != undecided_ || ledger_whole != ledger_whole_);
  }

  /// The ends of the daemon that it outlived.
  [[nodiscard]] const vm::Restarts& restarts() const noexcept { return restarts_; }
  void set_restarts(const vm::Restarts& restarts) noexcept { restarts_ = restarts; }

  /// Why the connection that is served does not outlive the daemon; empty where it does.
  [[nodiscard]] std::string why_not() const;

  /// The connection ended.
  void end() noexcept;
  /// The device is removed. Thread: the control thread.
  void forget() noexcept;

 private:
  void fail_to_keep(const std::string& why);
  [[nodiscard]] Record device_alone() const;

  const std::string device_;
  vm::Notices& notices_;
  std::unique_ptr<StoredBag> bag_;  // null: nobody keeps it
  std::optional<Door> door_;
  std::string settings_;
  Said said_;
  Said waiting_;
  vm::Restarts restarts_;
  std::string why_not_;
  // As in the newest record:
  bool full_ = false;
  bool undecided_ = false;
  bool ledger_whole_ = true;
  bool told_ = false;  // the log has said that this connection is not kept
};

}  // namespace vballoon::vhost
