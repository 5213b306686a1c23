// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/ending.hpp - how a wait for a balloon ended, in words.
// Pure.
#pragma once

#include <cstdint>
#include <string>

#include "progress.hpp"
#include "rpc/error.hpp"

namespace vballoon::ctl {

/// How the wait ended, and the device as it was then.
struct Ending {
  Verdict verdict = Verdict::kGoing;  ///< kGoing: Ctrl-C ended the wait
  rpc::Json device;
};

/// @return why the balloon is not as large as wanted, and whether the daemon goes on trying; empty
///         where it is as large as wanted.
/// @param target     the size that the command waited for.
/// @param timeout_s  the limit on the command line.
[[nodiscard]] std::string why_not(const Ending& ending, std::uint64_t target, unsigned timeout_s);

/// Whether the driver says that it does no more for the target that it was told last, for now. Only
/// drivers of large pages say so.
[[nodiscard]] bool rests(const rpc::Json& device);

}  // namespace vballoon::ctl
