// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/hostile.hpp - one VM whose guest and VMM do anything, allowed or not.
// Thread: one owner. A seed gives the same decisions as long as the daemon gives the same answers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "driver/balloon_driver.hpp"
#include "driver/guest_ram.hpp"
#include "shared.hpp"

namespace vballoon::soak {

class Hostile {
 public:
  Hostile(std::string socket, std::uint64_t seed, Shared& shared);

  /// One random action, counted.
  void act();
  /// A new connection with running rings, as plain as they come, and memory of its own.
  void settle();
  /// How long it pauses before the next few actions.
  [[nodiscard]] unsigned pause_ms() { return 5 + below(60); }
  [[nodiscard]] unsigned burst() { return 1 + below(6); }

 private:
  friend struct Actions;
  using Segments = std::vector<driver::Segment>;
  using Descriptors = std::vector<wire::Descriptor>;

  // --- Chance ---
  unsigned below(unsigned n) { return n == 0 ? 0 : static_cast<unsigned>(random_() % n); }
  bool chance(unsigned percent) { return below(100) < percent; }
  std::uint64_t any64();
  std::uint32_t any32() { return static_cast<std::uint32_t>(any64()); }
  void nap(unsigned most_us);
  void scribble(std::span<std::byte> bytes);
  [[nodiscard]] Gpa some_gpa(std::uint64_t room);
  [[nodiscard]] std::vector<Pfn> some_pages(unsigned most);
  [[nodiscard]] std::vector<GpaRange> some_ranges(unsigned most);
  [[nodiscard]] driver::DriverOptions some_options();
  [[nodiscard]] driver::RamPlan some_ram();
  [[nodiscard]] driver::Role some_role();

  // --- Life ---
  bool start(const driver::RamPlan& plan, const driver::DriverOptions& options);
  void renew();
  void leave() noexcept;
  void heal();
  /// Something was refused; what is known of the device may no longer be true.
  void expect(const Result<void>& done);
  template <typename T>
  void expect(const Result<T>& done) {
    expect(done ? Result<void>{} : Result<void>(tl::unexpected(done.error())));
  }

  // --- Allowed: hostile_legal.cpp ---
  void inflate();
  void deflate();
  void report();
  void hint();
  void stats();
  void config();
  void reset();
  void pause();
  void plug();
  void touch();
  void reconnect();
  void stay_away();

  // --- Rings: hostile_rings.cpp ---
  driver::DriverQueue& any_queue();
  void send_described(const Descriptors& chain);
  void bad_head();
  void index_jump();
  void loop();
  void odd_chain();
  void odd_table();
  void table_across_regions();
  void odd_pfns();
  void balloon_own_rings();
  void overwrite_used();
  void change_while_read();
  void many_heads();
  void huge_lengths();

  // --- Messages: hostile_messages.cpp ---
  driver::MessageSocket dial();
  std::vector<UniqueFd> some_files(unsigned most);
  void garbage_message();
  void half_message();
  void wrong_size();
  void odd_config();
  void odd_ring_setup();
  void odd_files();
  void flood();
  void storm();
  void second_vmm();
  void early_end();

  // --- Memory: hostile_memory.cpp ---
  void odd_memory_table();
  void short_file();
  void truncate();
  void read_only_memory();

  const std::string socket_;
  Shared& shared_;
  std::mt19937_64 random_;
  std::optional<driver::GuestRam> ram_;
  std::unique_ptr<driver::BalloonDriver> driver_;
  std::vector<Pfn> pages_;  // that may go into the balloon
  bool refused_ = false;    // in the present action
};

struct ActionKind {
  const char* name;
  bool fault;       ///< no guest and no VMM may do this
  unsigned weight;  ///< how often, beside the others
};
[[nodiscard]] std::span<const ActionKind> action_kinds() noexcept;

}  // namespace vballoon::soak
