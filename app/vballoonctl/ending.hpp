// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/ending.hpp - how waiting for a balloon ended, in words.
// Pure.
#pragma once

#include <cstdint>
#include <string>

#include "progress.hpp"
#include "rpc/error.hpp"

namespace vballoon::ctl {

/// How the wait ended, and the device as it was then.
struct Ending {
  Verdict verdict = Verdict::kGoing;  ///< kGoing: by Ctrl-C
  rpc::Json device;
};

/// Why the balloon is not as large as it should be, and whether the daemon goes on trying; empty
/// where it is.
/// @param target     what was waited for.
/// @param timeout_s  the caller's own limit.
[[nodiscard]] std::string why_not(const Ending& ending, std::uint64_t target, unsigned timeout_s);

}  // namespace vballoon::ctl
