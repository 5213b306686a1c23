// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/call_trust.hpp"

#include <fmt/format.h>

#include <utility>

#include "virtq/call.hpp"

namespace vballoon::vhost {
namespace {

constexpr std::chrono::minutes kNoCalls{1};

}  // namespace

int CallTrust::judge(unsigned index, int fd) {
  if (fd < 0) return -1;
  const auto now = std::chrono::steady_clock::now();
  const std::uint64_t blocked = counters_.blocked_calls.get();
  if (std::exchange(blocked_, blocked) != blocked) no_calls_until_ = now + kNoCalls;
  if (now < no_calls_until_) {
    notices_.warn(
        "the VMM made a call to its driver block; its driver is not called by rings that start "
        "within a minute of that");
    return -1;
  }
  if (virtq::Call::fits(fd)) return fd;
  notices_.warn(
      fmt::format("the call descriptor of queue {} is neither an eventfd nor a UNIX socket; its "
                  "driver is not called",
                  index));
  return -1;
}

}  // namespace vballoon::vhost
