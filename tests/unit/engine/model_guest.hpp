// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/engine/model_guest.hpp - a guest that knows what each of its pages must hold.
// Its pages carry canaries. A page that is the guest's keeps its canary, whatever is going on with
// the others: section 5 of the design, 1.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "support/device_fixture.hpp"

namespace vballoon::test {

class ModelGuest {
 public:
  /// @param tells  MUST_TELL_HOST: it never uses a page before the deflate buffer came back.
  /// Without
  ///               it, it does.
  ModelGuest(unsigned seed, bool tells, reclaim::ReclaimLimits limits);

  // --- The driver: any time -----------------------------------------------------------------
  /// Sends something, takes back what is used, looks at some pages. @return false after a failure.
  bool step();
  /// Until every buffer came back.
  void settle();
  /// Every page that is the guest's holds its canary.
  void check_all();

  // --- The VMM: while no lcore serves the device ----------------------------------------------
  /// Stops all rings and starts them where they stopped.
  void pause();
  /// The same, with the memory cut into other regions meanwhile.
  void change_memory();
  /// The driver starts over, without a deflate: all its pages are its own.
  void reset();
  /// @pre settled. The ledger is what the guest thinks.
  void check_population();
  /// Whether each page in the balloon was given back. @pre all that was gathered was discarded.
  void check_given_back();

  [[nodiscard]] datapath::DeviceFixture& device() { return f_; }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::uint64_t returned() const { return returned_; }

 private:
  /// 8 blocks and a bit: neither begins at one.
  static constexpr std::uint32_t kFirst = 100;
  static constexpr std::uint32_t kPages = 4200;
  static constexpr std::size_t kOutstanding = 8;  // buffers of a queue

  enum class Owner : std::uint8_t {
    kGuest,
    kInflating,
    kBalloon,
    kUntold,   // in the balloon, and in use again: the guest did not promise to tell first
    kTelling,  // the same, its deflate buffer sent
    kDeflating,
    kReported,
  };
  struct Page {
    Owner owner = Owner::kGuest;
    std::uint64_t canary = 0;
  };
  using Pages = std::vector<std::uint32_t>;  // numbers within the play area

  [[nodiscard]] std::size_t below(std::size_t n) { return random_() % n; }
  [[nodiscard]] bool is_guests(std::uint32_t n) const;
  [[nodiscard]] std::uint64_t* words(std::uint32_t n) const;
  void write_canary(std::uint32_t n);
  void check(std::uint32_t n);

  [[nodiscard]] std::optional<std::uint16_t> free_head(wire::Role role);
  Pages pick_for_inflate();
  Pages pick_for_deflate();
  Pages pick_for_report();
  void send_pfns(wire::Role role, Pages pages);
  void send_report();
  void use_untold();
  void settle(wire::Role role);
  void collect(wire::Role role);
  void came_back(wire::Role role, std::uint32_t n);
  void restart(bool new_driver);

  const bool tells_;
  std::mt19937 random_;
  datapath::DeviceFixture f_;
  std::vector<Page> pages_;
  std::map<wire::Role, std::map<std::uint16_t, Pages>> in_flight_;
  std::uint64_t generation_ = 0;
  std::uint64_t returned_ = 0;
  bool ok_ = true;
};

}  // namespace vballoon::test
