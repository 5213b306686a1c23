// SPDX-License-Identifier: BSD-3-Clause
//
// driver/step.hpp - one thing for a pretended guest to do, as people write it.
// Pure values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace vballoon::driver {

struct Step {
  enum class Verb {
    kInflate,
    kDeflate,
    kReport,
    kHint,
    kRelease,
    kPressure,
    kFollow,
    kReset,
    kPause
  };
  static constexpr std::uint64_t kAll = ~std::uint64_t{0};

  Verb verb = Verb::kInflate;
  std::string text;                       ///< as it was written
  std::uint64_t bytes = 0;                ///< of the first five; a page at least, or kAll
  std::chrono::milliseconds duration{0};  ///< kFollow, kPause
};

/// "inflate:SIZE", "deflate:SIZE", "report:SIZE", "hint:SIZE", "release:SIZE" with SIZE as 512M,
/// 1.5G or "all"; "pressure", "follow:SECONDS", "pause:SECONDS", "reset".
/// @errors kInvalidArgument, with the text and what would do.
[[nodiscard]] Result<Step> parse_step(std::string_view text);

}  // namespace vballoon::driver
