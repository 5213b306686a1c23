// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/roster.hpp - the devices that there are, by name and by socket.
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
  std::string canonical;  // of its socket's path
  // Of a device in server mode.
  std::unique_ptr<Listener> listener;
  Gate* gate = nullptr;
  bool leaves = false;  // in the change that is under way

  [[nodiscard]] const DeviceSpec& spec() const noexcept { return device->spec(); }
};

class Roster {
 public:
  using Members = std::vector<std::unique_ptr<Member>>;

  /// In the order in which they came.
  [[nodiscard]] const Members& members() const noexcept { return members_; }
  /// The same, until the next add() or drop_leaving().
  [[nodiscard]] std::span<vm::Vm* const> vms() const noexcept { return vms_; }
  [[nodiscard]] unsigned clients() const noexcept { return clients_; }

  /// @return null where there is none.
  [[nodiscard]] Member* find(std::string_view name) const;
  /// Whose socket this is, however it is spelled; null where it is nobody's.
  [[nodiscard]] Member* at_socket(const std::string& path, const std::string& canonical) const;
  /// @errors kNotFound, with the names that there are.
  [[nodiscard]] tl::unexpected<Status> unknown(std::string_view name) const;

  Member& add(std::unique_ptr<Member> member);
  /// Those that leave.
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
  std::unordered_map<std::string_view, Member*> by_name_;  // of the specs
  std::unordered_map<std::string_view, Member*> by_path_;
  std::unordered_map<std::pair<dev_t, ino_t>, Member*, FileHash> by_file_;
  unsigned clients_ = 0;
};

/// The one spelling of a path; it need not exist.
[[nodiscard]] std::string canonical_path(const std::string& path);

}  // namespace vballoon::vhost
