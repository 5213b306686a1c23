// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/change.hpp - removes devices and adds devices, all of them or none.
// Thread: the control thread.
// Why:    an operator who moves a device to another socket, or changes what it offers, must not
//         lose the old device because the new one fails. So all steps that can fail are done while
//         the old devices still serve.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "vhost/left_doors.hpp"
#include "vhost/roster.hpp"

namespace vballoon::vhost {

using Gates = std::map<std::uint64_t, std::unique_ptr<Gate>>;  // by the features offered

class Change {
 public:
  /// @param left  what an earlier daemon left; null: nothing.
  Change(Roster& roster, Gates& gates, Room& room, LeftDoors* left) noexcept
      : roster_(roster), gates_(gates), room_(room), left_(left) {}
  /// Undoes prepare(), unless commit() followed.
  ~Change();
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  /// Checks everything, binds and registers.
  /// @errors those of vm::Fleet::change().
  [[nodiscard]] Result<void> prepare(std::span<const std::string> remove,
                                     std::span<const DeviceSpec> add);

  /// Removes and adds the devices. It fails only where librte_vhost has no memory for a device in
  /// client mode, or for the thread that connects it. Such a device is missing afterwards, and the
  /// log says so; if the change is that device alone, commit() returns the error.
  /// @pre prepare() succeeded.
  struct Made {
    std::shared_ptr<BalloonDevice> device;
    /// For librte_vhost to accept, as the VMM's: see BalloonDevice::take_up().
    UniqueFd connection = {};
  };
  /// @param door  where the device's VMMs knock; null: it connects to them.
  using Make = std::function<Made(const DeviceSpec& spec, const Listener* door)>;
  [[nodiscard]] Result<void> commit(const Make& make);

 private:
  struct Incoming {
    Incoming(const DeviceSpec& of, std::string path) : spec(of), canonical(std::move(path)) {}

    const DeviceSpec& spec;
    std::string canonical;
    std::unique_ptr<Listener> listener;  // a new one; null where there is a lender
    Member* lender = nullptr;            // the leaving device whose listener this one gets
    gid_t lent_group = 0;                // the group of that listener's file before
    Gate* gate = nullptr;
    bool registered = false;  // with librte_vhost
    bool adopted = false;     // the listener is an earlier daemon's

    [[nodiscard]] Listener& door() const noexcept {
      return lender != nullptr ? *lender->listener : *listener;
    }
  };

  [[nodiscard]] Result<void> mark_leaving(std::span<const std::string> remove);
  [[nodiscard]] Result<void> check(const DeviceSpec& spec, const std::string& canonical) const;
  [[nodiscard]] Result<void> check_room(std::span<const DeviceSpec> add) const;
  [[nodiscard]] Result<void> prepare_one(Incoming& incoming);
  [[nodiscard]] Result<void> open_door(Incoming& incoming);
  [[nodiscard]] Result<void> borrow_door(Incoming& incoming);
  [[nodiscard]] Result<Listener> listen(const DeviceSpec& spec, bool* adopted) const;
  [[nodiscard]] Result<Gate*> gate_for(const DeviceSpec& spec);
  [[nodiscard]] Result<void> bring_in(Incoming& incoming, const Make& make);
  [[nodiscard]] bool leaves_from(const DeviceSpec& spec) const;
  void undo(Incoming& incoming) noexcept;

  Roster& roster_;
  Gates& gates_;
  Room& room_;
  LeftDoors* const left_;
  std::vector<Incoming> incoming_;
  std::vector<Member*> leaving_;
  bool committed_ = false;
};

/// Ends a device, its VMM's connection, and librte_vhost's part of it. The listening socket
/// remains, but no VMM gets in.
/// @param hands_on  the connection does not end where it is kept for the next daemon.
void take_down(Member& member, bool hands_on);

}  // namespace vballoon::vhost
