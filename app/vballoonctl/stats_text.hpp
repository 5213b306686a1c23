// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/stats_text.hpp - a guest's memory figures for a person.
#pragma once

#include "rpc/error.hpp"

namespace vballoon::ctl {

/// @param stats  {"age_ms": ..., "free_bytes": ..., ...} or null: then nothing is printed.
void print_stats(const rpc::Json& stats);

}  // namespace vballoon::ctl
