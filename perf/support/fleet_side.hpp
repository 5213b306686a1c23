// SPDX-License-Identifier: BSD-3-Clause
//
// support/fleet_side.hpp - a real daemon with hundreds of guests, and what its control thread takes
// for one of them and for all. Nothing but RPC and configuration keys, so that daemons of other
// commits can be measured.
// Thread: one owner. Create it before any thread: it forks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "support/daemon.hpp"
#include "support/policy_guest.hpp"
#include "support/rpc_pipe.hpp"

namespace vballoon::perf {

/// Microseconds, but for the last. Plain: it goes from one process to another.
struct FleetRound {
  double set = 0;           ///< processor time of the control thread, a request
  double set_wall = 0;      ///< from request to answer, one at a time
  double list = 0;          ///< processor time, a request
  double list_wall = 0;     ///< from request to the last byte
  double turn = 0;          ///< processor time, a turn of the policy
  double idle_percent = 0;  ///< of a core, while nobody asks for anything and no VM is automatic
};

class FleetSide {
 public:
  /// So many VMs are connected; the law has its part of all but one, which is set by hand.
  /// @param program  the daemon; empty: that of this build.
  FleetSide(unsigned vms, const std::string& program);

  // --- idle() comes first: what the control thread does anyway is taken off the others. Then the
  // first request counts for nothing: who had the machine before has left it cold, or warm. ---

  void idle();
  void set();
  void list();
  void turns();
  /// The newest of each.
  [[nodiscard]] const FleetRound& round() const noexcept { return round_; }

 private:
  /// When something began, in two clocks.
  struct Start {
    double control_ns;
    double ns;
  };

  static MoreConfig config(const std::string& program);
  void attach(unsigned vms);
  void settle();
  void automatic(bool on);
  void serve() const;
  void next_turn();
  void decided() const;
  [[nodiscard]] double control_ns() const;
  [[nodiscard]] Start start() const;
  [[nodiscard]] double us_each(const Start& since, unsigned count) const;
  [[nodiscard]] double wall_us(const std::string& request, unsigned count);

  Daemon daemon_;
  unsigned manual_at_;
  std::vector<std::unique_ptr<PolicyGuest>> herd_;  // the others, in the order of their devices
  std::unique_ptr<PolicyGuest> manual_;
  std::optional<RpcPipe> pipe_;
  double idle_share_ = 0;
  unsigned turn_ = 0;
  std::minstd_rand chance_{1};
  FleetRound round_;
};

}  // namespace vballoon::perf
