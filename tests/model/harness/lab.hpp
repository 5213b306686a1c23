// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/lab.hpp - one daemon for many tests, a device for each.
// librte_vhost looks at a new listening socket only once a second; a daemon a test would spend the
// time on that. A test that fails takes its daemon along, so that none inherits a sick one.
#pragma once

#include <memory>
#include <string>

#include "daemon.hpp"

namespace vballoon::model {

class Lab {
 public:
  static Lab& get();

  /// A device that no test has used yet, of the daemon that then is present.
  [[nodiscard]] std::string next_device();
  /// Likewise, one that connects to its VMM.
  [[nodiscard]] std::string next_client_device();
  [[nodiscard]] Daemon& daemon() { return *daemon_; }

  /// Fewer devices are left than a test may take.
  [[nodiscard]] bool is_short() const noexcept;
  /// Ends the daemon and checks how it ended; the next test gets another.
  void retire() noexcept { daemon_.reset(); }

 private:
  Lab() = default;

  void provide(unsigned used, unsigned most);

  std::unique_ptr<Daemon> daemon_;
  unsigned used_ = 0;
  unsigned clients_used_ = 0;
};

}  // namespace vballoon::model
