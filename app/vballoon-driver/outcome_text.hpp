// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-driver/outcome_text.hpp - the outcomes of steps, as text and as JSON.
// Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "driver/guest.hpp"

namespace vballoon::app {

/// @return two or three lines: pages, buffers and time; latency; what the host got back; canaries.
[[nodiscard]] std::string to_text(const driver::StepOutcome& outcome);
[[nodiscard]] nlohmann::json to_json(const driver::StepOutcome& outcome);

[[nodiscard]] std::string to_text(const driver::Violations& violations);
[[nodiscard]] nlohmann::json to_json(const driver::Violations& violations);

}  // namespace vballoon::app
