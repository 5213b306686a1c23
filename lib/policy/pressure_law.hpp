// SPDX-License-Identifier: BSD-3-Clause
//
// policy/pressure_law.hpp - the host's pressure inflates the balloon and the guest's deflates it, a
//                           step at a time.
// Source: L. Capitulino, "[RFC 2/2] virtio-balloon: add auto-ballooning support", qemu-devel, May
//         2013: the algorithm and its constants. docs/policy.md lists what the mail left open.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/units.hpp"
#include "policy/guest_view.hpp"
#include "policy/law.hpp"
#include "policy/remembered.hpp"

namespace vballoon::policy {

struct PressureSettings {
  std::uint64_t step = 32 * kMiB;  ///< for each event
  Time guest_pressure{60'000};     ///< a guest that showed pressure is left alone so long
};

class PressureLaw final : public Law {
 public:
  explicit PressureLaw(const PressureSettings& settings) : settings_(settings) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "pressure"; }
  [[nodiscard]] std::vector<Decision> decide(const Observation& seen) override;

 private:
  struct Past {
    std::optional<Time> pressed;  ///< when the guest last showed pressure
  };
  [[nodiscard]] Decision choose(const VmObservation& vm, const Observation& seen);
  [[nodiscard]] Decision answer_guest(const VmObservation& vm, unsigned times) const;
  [[nodiscard]] bool in_pressure(const Past& past, Time now) const noexcept;

  PressureSettings settings_;
  GuestWatch watch_;
  Remembered<Past> past_;
};

}  // namespace vballoon::policy
