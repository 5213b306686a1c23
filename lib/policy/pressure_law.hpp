// SPDX-License-Identifier: BSD-3-Clause
//
// policy/pressure_law.hpp - the host's pressure inflates the balloon and the guest's deflates it, a
//                           step at a time.
// Source: L. Capitulino, "[RFC 2/2] virtio-balloon: add auto-ballooning support", qemu-devel, May
//         2013: the algorithm and its constants. docs/policy.md lists what the mail left open.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "policy/guest_view.hpp"
#include "policy/kept_value.hpp"
#include "policy/law.hpp"
#include "policy/remembered.hpp"

namespace vballoon::policy {

struct PressureSettings {
  std::uint64_t step = 32 * kMiB;  ///< for each event
  Time guest_pressure{60'000};     ///< a guest that showed pressure is left alone so long
};

class PressureLaw final : public Law {
  /// What is remembered of a VM.
  struct Past {
    GuestWatch watch;
    Moment pressed;  ///< when the guest last showed pressure

    void take_up(const Observation& seen) noexcept;
  };

 public:
  /// Of a book for it. Another layout of Past or GuestWatch, or another meaning: another magic.
  static constexpr keep::Book::Form kForm{"policy", "the policy's memory of VMs",
                                          0x3173736572507656 /* VvPress1 */,
                                          Remembered<Past>::kPageBytes};

  /// @param book  outlives this; null: what is remembered ends with the process.
  explicit PressureLaw(const PressureSettings& settings, keep::Book* book = nullptr)
      : settings_(settings), past_(book) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "pressure"; }
  [[nodiscard]] std::vector<Decision> decide(const Observation& seen) override;
  void forget(const std::string& vm) override { past_.forget(vm); }
  void keep_only(const std::function<bool(std::string_view)>& is_there) override {
    past_.keep_only(is_there);
  }

 private:
  [[nodiscard]] Decision choose(const VmObservation& vm, const Observation& seen);
  [[nodiscard]] Decision answer_guest(const VmObservation& vm, unsigned times) const;
  [[nodiscard]] bool in_pressure(const Past& past, Time now) const noexcept;

  PressureSettings settings_;
  Remembered<Past> past_;
};

}  // namespace vballoon::policy
