// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/condition.hpp - what `wait --until` waits for: "actual<=512M", "state=running".
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/size_text.hpp"
#include "rpc/error.hpp"

namespace vballoon::ctl {

/// A comparison of one figure of a VM.
struct Condition {
  enum class Relation { kIs, kAtMost, kAtLeast };

  std::string key;  ///< "state", or a size: "actual" is actual_bytes
  Relation relation = Relation::kIs;
  std::string word;  ///< a state, or the key of another size; else empty
  SizeOrShare size;  ///< where there is no word; a share is of the guest's memory
};

/// @errors kInvalidArgument: no comparison, an unknown key or state, or no size.
[[nodiscard]] Result<Condition> parse_condition(std::string_view text);

/// @param device  as device.show tells it.
/// @return false also where the figure is not known. Sizes are the same where at_target() says so
///         (base/guest_page.hpp).
[[nodiscard]] bool holds(const Condition& condition, const rpc::Json& device);

}  // namespace vballoon::ctl
