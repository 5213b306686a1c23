// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/server.hpp - every balloon device of the host, by name.
// Layer:  vhost; may include base/, gmem/, virtq/, balloon/, device/ and poll/. librte_vhost stays
//         behind this header.
// Thread: any, but never the vhost event thread's callbacks nor a poll lcore.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "device/report.hpp"
#include "poll/poller.hpp"

namespace vballoon::vhost {

struct DeviceSpec {
  std::string name;    ///< 1 to 64 of [A-Za-z0-9._-], the first a letter or a digit
  std::string socket;  ///< path of the UNIX socket, at most 107 bytes
  bool client = false; ///< connect to the VMM's socket, again and again, instead of listening
};

class Server {
 public:
  /// @param pollers  one per poll lcore, at least one; they outlive the server.
  explicit Server(std::vector<poll::Poller*> pollers);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Registers a socket and begins to listen (or to connect).
  /// @errors kInvalidArgument for a name or path that cannot be; kAlreadyExists for a name that is
  ///         taken or a socket on which somebody listens; kHost with the reason. A stale socket
  ///         file, on which nobody listens, is removed.
  Result<void> add(const DeviceSpec& spec);

  /// Disconnects the VMM, removes the socket; the guest keeps its balloon as it is.
  Result<void> remove(std::string_view name);

  /// Names in the order they were added.
  [[nodiscard]] std::vector<device::DeviceReport> list() const;
  [[nodiscard]] Result<device::DeviceReport> show(std::string_view name) const;

  /// Asks the guest for a balloon of so many bytes, rounded down to 4 KiB pages.
  /// @return the target as it now stands.
  /// @errors kNotFound; kInvalidArgument above guest memory; kUnavailable while no VMM is connected.
  Result<std::uint64_t> set_target(std::string_view name, std::uint64_t bytes);

  /// Asks the driver for fresh statistics; they arrive as a StatsReport with a new sequence.
  /// @errors kNotFound; kUnavailable where the driver has no statistics queue or is not running.
  Result<void> request_stats(std::string_view name);

  /// Retries config-change notifications that a VMM's full socket refused. The control thread
  /// calls it every few tens of milliseconds; costs nothing when none is due.
  void tick();

  /// Removes every device.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vballoon::vhost
