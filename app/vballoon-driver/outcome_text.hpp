// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-driver/outcome_text.hpp - what the driver did, for people and for programs.
// Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "driver/pretend_guest.hpp"

namespace vballoon::app {

/// Two or three lines: pages, buffers and time; latency; what the host got back; canaries.
[[nodiscard]] std::string to_text(const driver::StepOutcome& outcome);
[[nodiscard]] nlohmann::json to_json(const driver::StepOutcome& outcome);

[[nodiscard]] std::string to_text(const driver::Violations& violations);
[[nodiscard]] nlohmann::json to_json(const driver::Violations& violations);

}  // namespace vballoon::app
