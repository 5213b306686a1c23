// SPDX-License-Identifier: BSD-3-Clause
//
// service/config/config.hpp - the checked configuration: what the file and the command line come
//                             to.
// Plain values.
// Source: config/vballoond.toml documents every key for people; vballoond.toml(5) too.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "lcore/settings.hpp"
#include "policy/policy_config.hpp"
#include "vm/settings.hpp"

namespace vballoon::service {

using lcore::IdleStrategy;
using lcore::Profile;
using policy::PolicyConfig;

/// Where each key was written, for errors that are found later than it was read.
class Places {
 public:
  void add(const std::string& key, std::string place) { places_[key] = std::move(place); }
  void add_device(const std::string& device, const std::string& key, std::string place) {
    add(slot(device, key), std::move(place));
  }
  /// @return "vballoond.toml:12: " or "--rpc: ", or nothing for what nobody wrote.
  [[nodiscard]] std::string of(std::string_view key) const {
    const auto at = places_.find(key);
    return at == places_.end() ? std::string() : at->second;
  }
  /// That of the whole device, where the key is not in its block.
  [[nodiscard]] std::string of_device(const std::string& device, std::string_view key) const {
    const auto at = places_.find(slot(device, key));
    return at == places_.end() ? of(slot(device, "")) : at->second;
  }

 private:
  /// A blank is in no key.
  static std::string slot(const std::string& device, std::string_view key) {
    return "device " + device + " " + std::string(key);
  }
  std::map<std::string, std::string, std::less<>> places_;
};

/// [eal], [poll], [placement], the lcores of [reclaim] and the log level are in the base.
struct Config : lcore::LcoreSettings {
  std::string rpc_socket;    ///< [daemon]; never empty once checked
  std::string rpc_group;     ///< empty: root and the daemon's own user only
  std::string state_dir;     ///< of what outlives the daemon; empty: nothing does
  std::string socket_group;  ///< of vhost-user sockets; empty: the daemon's own
  bool seccomp = true;       ///< confine the process once it runs

  std::uint64_t window_mib = 4096;   ///< [reclaim]; what may wait for neighbours, per VM
  std::uint64_t window_age_ms = 20;  ///< and how long at most
  bool hugetlb_reserve = false;      ///< discard no huge page that its pool could not give back

  std::uint64_t max_guest_gib = 16384;  ///< [limits]; what one VMM may claim for its guest
  std::uint64_t max_total_gib = 65536;  ///< and all of them, as address space

  std::uint64_t stats_interval_ms = 0;  ///< [stats]; 0: asked for on request only

  policy::PolicyConfig policy;

  std::vector<vm::Settings> devices;

  Places places;
};

[[nodiscard]] Config default_config(Profile profile);

/// Log levels by the names that the file and --log-level take.
[[nodiscard]] bool is_log_level(std::string_view name) noexcept;

/// "warn" is another name of "warning"; each level has one in here.
[[nodiscard]] std::string log_level_named(std::string_view name);

/// @param source  names the text in errors: "vballoond.toml:12: ...".
/// @errors kInvalidArgument: an unknown key with the nearest known one, a wrong type, a value out
///         of its range, a name or socket that two devices share.
[[nodiscard]] Result<Config> parse_config(std::string_view text, const std::string& source,
                                          Profile profile);

/// @errors as parse_config; kNotFound or kHost when the file cannot be read.
[[nodiscard]] Result<Config> load_config(const std::string& path, Profile profile);

/// Parses NAME=SOCKET or NAME=client:SOCKET, as --device takes it.
[[nodiscard]] Result<vm::Settings> parse_device_option(std::string_view text);

/// @errors kInvalidArgument when a name or a socket is given twice.
[[nodiscard]] Result<void> check_devices(const std::vector<vm::Settings>& devices);

}  // namespace vballoon::service
