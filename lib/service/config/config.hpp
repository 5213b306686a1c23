// SPDX-License-Identifier: BSD-3-Clause
//
// service/config/config.hpp - the checked configuration, from the file and the command line.
// Plain values.
// Source: config/vballoond.toml documents every key for people; vballoond.toml(5) too.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
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

/// The place of a device that the command line names.
inline constexpr std::string_view kDeviceOption = "--device: ";

/// The file and line, or the option, of each key: for errors that appear after parsing.
class Places {
 public:
  void add(const std::string& key, std::string place) { places_[key] = std::move(place); }
  void add_device(const std::string& device, const std::string& key, std::string place) {
    add(slot(device, key), std::move(place));
  }
  /// @return "vballoond.toml:12: " or "--rpc: "; empty for a key that is not set.
  [[nodiscard]] std::string of(std::string_view key) const {
    const auto at = places_.find(key);
    return at == places_.end() ? std::string() : at->second;
  }
  /// @return empty where the device's block lacks the key.
  [[nodiscard]] std::string of_key(const std::string& device, std::string_view key) const {
    return of(slot(device, key));
  }
  /// Where the device's block lacks the key: the line of the block.
  [[nodiscard]] std::string of_device(const std::string& device, std::string_view key) const {
    const auto at = places_.find(slot(device, key));
    return at == places_.end() ? of(slot(device, "")) : at->second;
  }

 private:
  /// No key has a blank, so the blanks separate the parts.
  static std::string slot(const std::string& device, std::string_view key) {
    return "device " + device + " " + std::string(key);
  }
  std::map<std::string, std::string, std::less<>> places_;
};

/// The base class has [eal], [poll], [placement], the lcores of [reclaim] and the log level.
struct Config : lcore::LcoreSettings {
  std::string rpc_socket;     ///< [daemon]; not empty in a checked configuration
  std::string rpc_group;      ///< empty: root and the daemon's own user only
  std::string rpc_observers;  ///< group that may ask; empty: nobody else
  std::string state_dir;      ///< keeps state for the next daemon; empty: nothing is kept
  std::string socket_group;   ///< of vhost-user sockets; empty: the daemon's own group
  bool seccomp = true;        ///< filter the system calls of the running daemon

  std::uint64_t window_mib = 4096;   ///< [reclaim]; memory that may wait for neighbours, per VM
  std::uint64_t window_age_ms = 20;  ///< how long such memory may wait
  bool hugetlb_reserve = false;      ///< discard no huge page that its pool could not give back

  std::uint64_t max_guest_gib = 16384;  ///< [limits]; the memory that one VMM may claim
  std::uint64_t max_total_gib = 65536;  ///< the memory that all VMMs may claim, as address space

  std::uint64_t stats_interval_ms = 0;  ///< [stats]; 0: guests are asked on request only

  policy::PolicyConfig policy;

  std::vector<vm::Settings> devices;

  Places places;
};

[[nodiscard]] Config default_config(Profile profile);

/// Their names, as the file takes them.
[[nodiscard]] std::span<const std::string_view> log_levels() noexcept;

/// Whether the file and --log-level take this name of a log level.
[[nodiscard]] bool is_log_level(std::string_view name) noexcept;

/// @return the daemon's own name of a log level: "warning" for "warn", else the same name.
[[nodiscard]] std::string log_level_named(std::string_view name);

/// @param source  the name of the text in errors: "vballoond.toml:12: ...".
/// @errors kInvalidArgument for unknown keys (the message suggests the nearest known key), wrong
///         types, values out of range, and names or sockets that two devices share: all of them, a
///         line each.
[[nodiscard]] Result<Config> parse_config(std::string_view text, const std::string& source,
                                          Profile profile);

/// @errors as parse_config; kNotFound or kHost when the file cannot be read.
[[nodiscard]] Result<Config> load_config(const std::string& path, Profile profile);

/// Parses the value of --device: NAME=SOCKET or NAME=client:SOCKET.
[[nodiscard]] Result<vm::Settings> parse_device_option(std::string_view text);

/// @errors kInvalidArgument when a name or a socket is given twice.
[[nodiscard]] Result<void> check_devices(const std::vector<vm::Settings>& devices);

}  // namespace vballoon::service
