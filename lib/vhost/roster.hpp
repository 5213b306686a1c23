// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/roster.hpp - the present devices, by name and by socket.
// Thread: the control thread.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "vhost/balloon_device.hpp"
#include "vhost/gate.hpp"
#include "vhost/listener.hpp"

namespace vballoon::vhost {

struct Member {
  std::shared_ptr<BalloonDevice> device;
  std::string canonical;  // the canonical path of its socket
  // Only for a device in server mode:
  std::unique_ptr<Listener> listener;
  Gate* gate = nullptr;
  bool leaves = false;  // the change under way removes it

  [[nodiscard]] const DeviceSpec& spec() const noexcept { return device->spec(); }
};

class Roster {
 public:
  using Members = std::vector<std::unique_ptr<Member>>;

  /// The devices in the order in which they were added.
  [[nodiscard]] const Members& members() const noexcept { return members_; }
  /// The same devices; valid until the next add() or drop_leaving().
  [[nodiscard]] std::span<vm::Vm* const> vms() const noexcept { return vms_; }
  [[nodiscard]] unsigned clients() const noexcept { return clients_; }

  /// @return null where no device has the name.
  [[nodiscard]] Member* find(std::string_view name) const;
  /// @return the device that has this socket, however its path is spelled; null where none has.
  [[nodiscard]] Member* at_socket(const std::string& path, const std::string& canonical) const;
  /// @errors kNotFound; the message has the names of the devices.
  [[nodiscard]] tl::unexpected<Status> unknown(std::string_view name) const;

  Member& add(std::unique_ptr<Member> member);
  /// Drops the devices that leave.
  void drop_leaving();
  void clear();

 private:
  struct FileHash {
    std::size_t operator()(const std::pair<dev_t, ino_t>& file) const noexcept {
      return std::hash<std::uint64_t>()(file.first * 0x9e3779b97f4a7c15ULL ^ file.second);
    }
  };

  void index(Member& member);

  Members members_;
  std::vector<vm::Vm*> vms_;                               // of the members
  std::unordered_map<std::string_view, Member*> by_name_;  // keys lie in the specs
  std::unordered_map<std::string_view, Member*> by_path_;
  std::unordered_map<std::pair<dev_t, ino_t>, Member*, FileHash> by_file_;
  unsigned clients_ = 0;
};

/// @return the canonical spelling of a path. The file need not exist.
[[nodiscard]] std::string canonical_path(const std::string& path);

}  // namespace vballoon::vhost
