// SPDX-License-Identifier: BSD-3-Clause
//
// policy/balance_law.hpp - the host keeps a reserve, every guest has what it needs, and the rest is
//                          divided by weight.
// Source: docs/policy.md has the law, each of its constants and the constant's origin.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/alarm.hpp"
#include "policy/guest_view.hpp"
#include "policy/kept_value.hpp"
#include "policy/law.hpp"
#include "policy/remembered.hpp"

namespace vballoon::policy {

class BalanceLaw final : public Law {
  /// What is remembered of a VM.
  struct Past {
    GuestWatch watch;
    Moment pressed;            ///< when the guest last showed pressure
    Moment taken;              ///< when the law last took memory from it
    Moment given;              ///< when the law last gave it memory
    Moment needed;             ///< when the law last gave it memory that it needed
    Moment squeezed;           ///< since when the guest has too little
    std::uint64_t peak = 0;    ///< the most that it used in the present span
    Time span{0};              ///< when the present span began
    std::uint64_t before = 0;  ///< the most that it used in the span before
    std::uint64_t margin = 0;  ///< what it lacked beyond its use when it was pressed

    void take_up(const Observation& seen) noexcept;
  };

 public:
  static_assert(sizeof(Alarm) <= keep::Book::kFrontBytes);
  /// Of a book for it. Another layout of Past, GuestWatch or Alarm, or another meaning: another
  /// magic.
  static constexpr keep::Book::Form kForm{"policy", "the policy's memory of VMs",
                                          0x316e6c6142507656 /* VvPBaln1 */,
                                          Remembered<Past>::kPageBytes};

  /// @param book  outlives this; null: what is remembered ends with the process.
  explicit BalanceLaw(keep::Book* book = nullptr);
  BalanceLaw(const BalanceLaw&) = delete;
  BalanceLaw& operator=(const BalanceLaw&) = delete;
  [[nodiscard]] std::string_view name() const noexcept override { return "balance"; }
  [[nodiscard]] std::vector<Decision> decide(const Observation& seen) override;
  void forget(const std::string& vm) override { past_.forget(vm); }
  void keep_only(const std::function<bool(std::string_view)>& is_there) override {
    past_.keep_only(is_there);
  }

 private:
  /// One VM in one turn.
  struct Turn {
    const VmObservation* vm = nullptr;
    Past* past = nullptr;
    GuestView view;
    std::uint64_t floor = 0;
    std::uint64_t ceiling = 0;
    std::uint64_t headroom = 0;
    std::uint64_t need = 0;    ///< what the guest uses, and headroom
    std::uint64_t bare = 0;    ///< its use and the least headroom; `urgent` if squeezed for long
    std::uint64_t urgent = 0;  ///< its use and the least headroom; more if squeezed
    std::uint64_t margin = 0;  ///< what it lacked lately
    std::uint64_t kept = 0;    ///< what it keeps whatever its target is
    std::uint64_t share = 0;   ///< what it is to have
    bool movable = false;      ///< the law may change its target
    bool host_known = true;    ///< the host tells how much of the memory behind the guest it has
    bool pressed = false;      ///< the guest showed pressure within kRecovery
    bool host_short = false;   ///< one of its pools has less than the reserve and what guests lack
    bool settles = false;      ///< within kSettles the law gave it memory that it needed
    bool wait = false;         ///< one of its pools has promised all that the pool has
  };

  /// What one VM may get, in bytes, from least to most: its floor, its bare need, its urgent need,
  /// its need, its ceiling.
  enum Step : std::size_t { kFloor, kBare, kUrgent, kNeed, kCeiling, kSteps };
  using Steps = std::array<std::uint64_t, kSteps>;

  static void note_peak(Time now, Turn* turn);
  static std::uint64_t note_pressure(const GuestView& view, std::uint64_t headroom, Time now,
                                     Past* past);
  [[nodiscard]] static Steps steps_of(const Turn& turn) noexcept;
  [[nodiscard]] static bool note_squeeze(bool has_too_little, Time now, Past* past);
  [[nodiscard]] std::uint64_t reserve_of(const PoolObservation& pool) const noexcept;
  [[nodiscard]] std::uint64_t overpromise_of(const PoolObservation& pool) const noexcept;
  [[nodiscard]] Turn begin(const VmObservation& vm, const Observation& seen);
  void look_at(const PoolObservation& pool, std::size_t index, std::vector<Turn>* turns) const;
  void share_out(const PoolObservation& pool, std::size_t index, std::vector<Turn>* turns) const;
  /// Takes the signs out of the turn.
  [[nodiscard]] Decision choose(Turn& turn, const Observation& seen) const;
  [[nodiscard]] Decision move(const Turn& turn, const Observation& seen) const;
  [[nodiscard]] static Decision let_off(const Turn& turn);
  [[nodiscard]] static Decision give(const Turn& turn, std::uint64_t wanted, Time now);
  [[nodiscard]] static Decision take(const Turn& turn, std::uint64_t wanted, Time now);
  void remember(const Turn& turn, const Decision& decision, Time now);

  Remembered<Past> past_;
  Alarm own_alarm_;  // where there is no book
  Alarm* alarm_ = &own_alarm_;
  bool begun_ = false;  // a turn was made
};

}  // namespace vballoon::policy
