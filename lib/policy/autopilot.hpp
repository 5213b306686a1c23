// SPDX-License-Identifier: BSD-3-Clause
//
// policy/autopilot.hpp - looks at host and guests, asks the law, and sets the targets of automatic
//                         VMs.
// Thread: the control thread.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "keep/book.hpp"
#include "policy/host/memory.hpp"
#include "policy/host/pressure_watch.hpp"
#include "policy/law.hpp"
#include "policy/observe.hpp"
#include "policy/policy_config.hpp"
#include "policy/report.hpp"
#include "rpc/message.hpp"
#include "vm/fleet.hpp"

namespace vballoon::policy {

class Autopilot {
 public:
  /// Opens the host's files. The filter of system calls forbids that later.
  /// @param fleet  has all VMs of an earlier daemon that there still are.
  /// @param book   of open_book(), for what the law remembers.
  /// @errors kNotFound when policy.cgroup does not exist; kInvalidArgument when it is no memory
  ///         cgroup; kHost when the kernel's files cannot be read.
  [[nodiscard]] static Result<std::unique_ptr<Autopilot>> open(asio::io_context& loop,
                                                               vm::Fleet& fleet,
                                                               const PolicyConfig& config,
                                                               std::optional<keep::Book> book = {},
                                                               const policy::Paths& paths = {});
  ~Autopilot();
  Autopilot(const Autopilot&) = delete;
  Autopilot& operator=(const Autopilot&) = delete;

  /// A PSI trigger costs a kernel thread, which may run on any cpu. So the host's pressure is
  /// listened to only if one of these devices is automatic: by its configuration, or by a later
  /// word of a person.
  [[nodiscard]] static PolicyConfig needed_of(PolicyConfig config, const vm::Fleet& fleet,
                                              const std::vector<vm::Settings>& devices);

  void start();
  void stop();

  /// Sets what the operator wants of a VM from now on. A VM without a wish is not automatic.
  void wish(const std::string& name, const VmWish& wish);
  /// Sets the wish by the VM's configuration and by the word that set_automatic() kept.
  /// @pre the VM exists.
  void wish(const vm::Settings& device);
  /// The VM is removed.
  void forget(const std::string& name);

  [[nodiscard]] bool automatic(std::string_view name) const;
  /// @return the sentence of the rule that applied last to an automatic VM; empty: none yet.
  [[nodiscard]] std::string_view rule_of(std::string_view name) const;
  /// The state folder keeps the word for the next daemon, too. @pre the VM exists.
  void set_automatic(const std::string& name, bool on);
  void set_limits(const std::string& name, const policy::Limits& limits);

  /// The last decision on a VM, and the figures that it rests on: for `policy.explain`.
  [[nodiscard]] rpc::Json explain(const std::string& name) const;
  /// The law, the host and every automatic VM: for `policy.show`.
  [[nodiscard]] rpc::Json show() const;

  /// The same in figures.
  [[nodiscard]] Report report() const;

  /// Makes one turn at once, without asking guests for statistics first. Public for tests.
  void decide();

 private:
  using Clock = std::chrono::steady_clock;
  struct Past {
    policy::Decision decision;
    std::uint64_t before = 0;  ///< the target before the decision
    Clock::time_point when;
  };
  struct Heard {
    std::uint64_t messages = 0;      ///< messages of pressure, as last counted
    Clock::time_point deaf_until{};  ///< until then its messages bring no turn
  };
  /// What is remembered of a VM, by its name: the VM may go and come again.
  struct Guided {
    std::optional<VmWish> wish;
    std::optional<Past> past;  ///< the last decision
    std::uint64_t raised = 0;  ///< how often its target was made larger
    std::uint64_t lowered = 0;
    Heard heard;
    [[nodiscard]] bool automatic() const noexcept { return wish && wish->automatic; }
  };

  /// Lets an entry be found by a name that is no std::string.
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>()(name);
    }
  };

  Autopilot(asio::io_context& loop, vm::Fleet& fleet, const PolicyConfig& config,
            std::optional<keep::Book> book, policy::MemoryReader reader, policy::BestWatch watch);

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
                                            std::span<vm::Vm* const> vms,
                                            std::span<Guided* const> guided) const;
  static void apply(const policy::VmObservation& seen, const policy::Decision& decision, vm::Vm* vm,
                    Guided* guided);

  vm::Fleet& fleet_;
  const PolicyConfig config_;
  policy::MemoryReader reader_;
  std::optional<policy::PressureWatch> watch_;
  std::string watch_text_;
  std::optional<keep::Book> book_;
  std::unique_ptr<policy::Law> law_;
  std::unordered_map<std::string, Guided, NameHash, std::equal_to<>> guided_;
  std::vector<policy::PoolObservation> pools_;  // of the last turn
  std::string trouble_;                         // why the cgroup is not seen; empty: it is
  std::optional<std::uint64_t> swapped_in_;     // by the host in all, at the last turn
  unsigned pressure_ = 0;                       // events of host pressure since the last turn
  std::uint64_t events_ = 0;                    // such events since the start
  std::uint64_t turns_ = 0;
  Clock::time_point last_turn_{};
  bool turn_due_ = false;  // answers_ runs, and a turn follows
  asio::steady_timer tick_;
  asio::steady_timer answers_;
  asio::steady_timer ear_;
  asio::posix::stream_descriptor pressure_fd_;
};

}  // namespace vballoon::policy
