// SPDX-License-Identifier: BSD-3-Clause
//
// policy/autopilot.hpp - looks at host and guests, asks the law, and sets the targets of automatic
//                         VMs.
// Thread: the event loop's.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/host/memory.hpp"
#include "policy/host/pressure_watch.hpp"
#include "policy/law.hpp"
#include "policy/observe.hpp"
#include "policy/policy_config.hpp"
#include "rpc/message.hpp"
#include "vm/fleet.hpp"

namespace vballoon::policy {

class Autopilot {
 public:
  /// Opens what it looks at: files that cannot be opened once the process is confined.
  /// @errors kNotFound, kInvalidArgument: the cgroup is none; kHost.
  [[nodiscard]] static Result<std::unique_ptr<Autopilot>> open(asio::io_context& loop,
                                                               vm::Fleet& fleet,
                                                               const PolicyConfig& config,
                                                               const policy::Paths& paths = {});
  ~Autopilot();
  Autopilot(const Autopilot&) = delete;
  Autopilot& operator=(const Autopilot&) = delete;

  /// Whether any of these is automatic: as configured, or as a person said since.
  [[nodiscard]] static bool wanted(const vm::Fleet& fleet,
                                   const std::vector<vm::Settings>& devices);

  void start();
  void stop();

  /// What is to be done with a VM from now on; one that nobody told of is not automatic.
  void wish(const std::string& name, const VmWish& wish);
  /// As its configuration says, and what is kept of set_automatic(). @pre the VM exists.
  void wish(const vm::Settings& device);
  void forget(const std::string& name);

  [[nodiscard]] bool automatic(std::string_view name) const;
  /// For the next daemon, too. @pre the VM exists.
  void set_automatic(const std::string& name, bool on);
  void set_limits(const std::string& name, const policy::Limits& limits);

  /// What was decided last of a VM, and what about; of the host.
  [[nodiscard]] rpc::Json explain(const std::string& name) const;
  [[nodiscard]] rpc::Json show() const;

  /// One turn, as if its time had come and the guests had answered. For tests.
  void decide();

 private:
  using Clock = std::chrono::steady_clock;
  struct Past {
    policy::Decision decision;
    std::uint64_t before = 0;  ///< the target that it was about
    Clock::time_point when;
  };
  struct Heard {
    std::uint64_t messages = 0;      ///< as last counted
    Clock::time_point deaf_until{};  ///< it asks for no turn before
  };
  /// What there is to remember of a VM, by its name: it may go and come again.
  struct Guided {
    std::optional<VmWish> wish;
    std::optional<Past> past;  ///< what was decided last
    Heard heard;
    [[nodiscard]] bool automatic() const noexcept { return wish && wish->automatic; }
  };

  Autopilot(asio::io_context& loop, vm::Fleet& fleet, const PolicyConfig& config,
            policy::MemoryReader reader, policy::BestWatch watch);

  void wait_for_turn();
  void wait_for_pressure();
  void listen_to_guests();
  [[nodiscard]] bool hear(std::uint64_t messages, Heard* heard) const;
  void on_pressure();
  void begin_turn();
  void turn_soon();
  [[nodiscard]] bool anybody_automatic() const;
  [[nodiscard]] std::optional<policy::MemoryFigures> read_host();
  [[nodiscard]] bool reads_its_swap(const policy::MemoryFigures& host);
  [[nodiscard]] policy::Observation observe(const policy::MemoryFigures& host,
                                            std::span<vm::Vm* const> vms) const;
  void apply(const policy::VmObservation& seen, const policy::Decision& decision, vm::Vm* vm) const;

  vm::Fleet& fleet_;
  const PolicyConfig config_;
  policy::MemoryReader reader_;
  std::optional<policy::PressureWatch> watch_;
  std::string watch_text_;
  std::unique_ptr<policy::Law> law_;
  std::map<std::string, Guided, std::less<>> guided_;
  std::vector<policy::PoolObservation> pools_;  // as last seen
  std::string trouble_;                         // why the host is not seen as asked for; or empty
  std::optional<std::uint64_t> swapped_in_;     // by the host so far, as last seen
  unsigned pressure_ = 0;                       // events since the last turn
  std::uint64_t events_ = 0;                    // since the start
  std::uint64_t turns_ = 0;
  Clock::time_point last_turn_{};
  bool turn_due_ = false;  // guests were asked; the answers are waited for
  asio::steady_timer tick_;
  asio::steady_timer answers_;
  asio::steady_timer ear_;
  asio::posix::stream_descriptor pressure_fd_;
};

}  // namespace vballoon::policy
