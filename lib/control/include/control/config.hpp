// SPDX-License-Identifier: BSD-3-Clause
//
// control/config.hpp - the checked configuration: what the file and the command line come to.
// Layer:  control; may include base/. Plain values.
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

namespace vballoon::control {

/// Where the defaults come from; whatever the file says is stronger than either.
enum class Profile {
  kProduction,   ///< huge pages, a poll lcore pinned to a cpu of its own, spinning
  kDevelopment,  ///< no huge pages, no cpu of its own, no root; sleeps while idle
};

enum class Idle { kSpin, kBackoff };

struct DeviceConfig {
  std::string name;
  std::string socket;
  bool client = false;          ///< connect to the VMM's socket instead of listening
  bool prefault = false;        ///< put memory there before the guest gets a page back
  bool packed = true;           ///< offer packed rings
  bool page_poison = false;     ///< offer PAGE_POISON: not for User Mode Linux
  bool indirect = false;        ///< offer INDIRECT_DESC: not for User Mode Linux, either
  bool reporting = true;        ///< discard what the guest reports as free
  bool message_queue = false;   ///< offer MESSAGE_VQ in place of DEFLATE_ON_OOM, hints and reports
  std::string group = {};       ///< of its socket; empty: Config::socket_group
  bool automatic = false;       ///< the policy moves its target
  std::uint64_t floor_mib = 0;  ///< the policy leaves it so much at least; 0: a default
  std::uint64_t ceiling_mib = 0;  ///< and so much at most; 0: all
  std::uint64_t weight = 100;     ///< its share of what is scarce
  friend bool operator==(const DeviceConfig&, const DeviceConfig&) = default;
};

inline constexpr std::uint64_t kMostSizeMib = 1 << 30;
inline constexpr std::uint64_t kMostWeight = 10'000;

/// [policy]
struct PolicyConfig {
  std::string law = "balance";  ///< or "pressure"
  std::uint64_t interval_ms = 1000;
  std::string cgroup;                   ///< folder of a memory cgroup that is the host; empty: all
  std::string host_pressure = "auto";   ///< "auto", "psi", "cgroup" or "none"
  std::string pressure_level = "low";   ///< of cgroup v1: "low", "medium" or "critical"
  std::uint64_t psi_stall_ms = 100;     ///< tasks waiting for memory so long,
  std::uint64_t psi_window_ms = 2000;   ///< within this, are an event
  std::uint64_t reserve_mib = 0;        ///< to be kept available; 0: by the size of the host
  std::uint64_t step_mib = 32;          ///< law pressure
  std::uint64_t guest_pressure_s = 60;  ///< law pressure
  friend bool operator==(const PolicyConfig&, const PolicyConfig&) = default;
};

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

struct Config {
  Profile profile = Profile::kProduction;

  std::string rpc_socket;          ///< [daemon]; never empty once checked
  std::string rpc_group;           ///< empty: root and the daemon's own user only
  std::string state_dir;           ///< of what outlives the daemon; empty: nothing does
  std::string socket_group;        ///< of vhost-user sockets; empty: the daemon's own
  bool seccomp = true;             ///< confine the process once it runs
  std::string log_level = "info";  ///< trace, debug, info, warning, error

  bool no_huge = false;  ///< [eal]
  std::uint64_t memory_mib = 64;
  std::optional<unsigned> main_lcore;  ///< cpu of the control thread; none: all but the poll cpus
  std::vector<std::string> eal_args;

  std::vector<unsigned> poll_lcores;  ///< [poll]; cpu numbers; empty: chosen
  Idle idle = Idle::kSpin;            ///< of reclaim lcores too

  /// [reclaim]; cpu numbers; nothing: chosen; empty: poll lcores discard themselves
  std::optional<std::vector<unsigned>> reclaim_lcores;
  std::uint64_t window_mib = 4096;   ///< what may wait for neighbours, per VM
  std::uint64_t window_age_ms = 20;  ///< and how long at most
  bool hugetlb_reserve = false;      ///< discard no huge page that its pool could not give back

  std::uint64_t max_guest_gib = 16384;  ///< [limits]; what one VMM may claim for its guest
  std::uint64_t max_total_gib = 65536;  ///< and all of them, as address space

  std::vector<unsigned> neighbours;  ///< [placement]; cpu numbers that are never ours

  std::uint64_t stats_interval_ms = 0;  ///< [stats]; 0: asked for on request only

  PolicyConfig policy;

  std::vector<DeviceConfig> devices;

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
[[nodiscard]] Result<DeviceConfig> parse_device_option(std::string_view text);

/// Floor, ceiling and weight, each in its range, also go together.
[[nodiscard]] Result<void> check_limits(const DeviceConfig& device);

/// @errors kInvalidArgument when a name or a socket is given twice.
[[nodiscard]] Result<void> check_devices(const std::vector<DeviceConfig>& devices);

}  // namespace vballoon::control
