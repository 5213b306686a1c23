// SPDX-License-Identifier: BSD-3-Clause
//
// policy/kept_value.hpp - values that a law remembers where the next process reads them.
// The bytes of each may be anything, and still are a value: an earlier process wrote them, or was
// ended in the middle of it. So no bool, no enum and no std::optional is among them.
// Pure.
#pragma once

#include <cstdint>

#include "policy/observation.hpp"

namespace vballoon::policy {

/// After another process: a time that cannot have been is that of the clock's start.
[[nodiscard]] constexpr Time possible(Time at, Time now) noexcept {
  return at < Time(0) || at > now ? Time(0) : at;
}

/// A moment, or none. None is earlier than any moment.
class Moment {
 public:
  Moment() noexcept = default;
  Moment(Time at) noexcept : at_(at) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] explicit operator bool() const noexcept { return at_ != kNone; }
  /// @pre there is one.
  [[nodiscard]] Time operator*() const noexcept { return at_; }
  friend auto operator<=>(const Moment&, const Moment&) noexcept = default;

  void reset() noexcept { at_ = kNone; }
  /// After another process: a moment that cannot have been is none.
  void doubt(Time now) noexcept {
    if (possible(at_, now) != at_) reset();
  }

 private:
  static constexpr Time kNone = Time::min();
  Time at_ = kNone;
};

/// Yes or no.
class Flag {
 public:
  Flag() noexcept = default;
  Flag(bool yes) noexcept : byte_(yes ? 1 : 0) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] operator bool() const noexcept {   // NOLINT(google-explicit-constructor)
    return byte_ != 0;
  }

 private:
  std::uint8_t byte_ = 0;
};

}  // namespace vballoon::policy
