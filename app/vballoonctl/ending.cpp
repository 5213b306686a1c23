// SPDX-License-Identifier: BSD-3-Clause
#include "ending.hpp"

#include <fmt/format.h>

#include "format.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;

std::string_view seconds_without(Verdict verdict) {
  return verdict == Verdict::kSilent ? "5 s" : "10 s";
}

std::string stall_reason(const Json& device, Verdict verdict) {
  const std::string state = text(device, "state");
  if (state == "waiting") return "no VMM is connected";
  if (state == "connected") return "the guest's balloon driver is not running";
  if (state == "stopped") {
    return "the rings of its driver are stopped: the VM is paused or suspended, or its guest was "
           "reset or unloaded the driver";
  }
  if (state == "set-aside") return text(device, "reason");
  if (state == "broken") return "the device is broken; see vballoonctl show";
  if (!known(device, "actual_bytes")) {
    return fmt::format("the driver has not said for {} how large its balloon is",
                       seconds_without(verdict));
  }
  if (verdict == Verdict::kSilent) {
    return "the driver has not begun for 5 s: it does not answer, or the guest has nothing to give";
  }
  return "no progress for 10 s; the guest has nothing more to give, or is busy";
}

/// Of a driver of large pages.
std::string rest_reason(const Json& device) {
  const std::string reason = text(device.value("driver", Json::object()), "reason");
  if (reason == "exhausted") {
    return "the guest finds no more pages with this effort (setting effort), and tries again later";
  }
  if (reason == "no_node") return "the guest has no such NUMA node, or its memory is offline";
  if (reason == "withheld") return "the host has no memory for the pages that the guest wants back";
  if (reason == "oom") return "the guest has just run out of memory";
  return "its driver is about to leave";
}

std::string reason(const Ending& ending, unsigned timeout_s) {
  switch (ending.verdict) {
    case Verdict::kStalled:
    case Verdict::kSilent:
      return stall_reason(ending.device, ending.verdict);
    case Verdict::kTimedOut:
      return fmt::format("not reached within {} s", timeout_s);
    case Verdict::kRetargeted:
      return fmt::format("the target is another one meanwhile, {}",
                         size_field(ending.device, "target_bytes"));
    case Verdict::kRests:
      return rest_reason(ending.device);
    case Verdict::kGoing:
      return "interrupted";
    case Verdict::kReached:
      break;
  }
  return "";
}

}  // namespace

std::string why_not(const Ending& ending, std::uint64_t target, unsigned timeout_s) {
  std::string why = reason(ending, timeout_s);
  const bool stands = number(ending.device, "target_bytes") == target;
  if (!why.empty() && stands) why += "; the target stands";
  return why;
}

bool rests(const Json& device) {
  const Json driver = device.value("driver", Json());
  if (!driver.is_object() || !driver.value("newest_target", false)) return false;
  const std::string reason = text(driver, "reason");
  return reason != "reached" && reason != "working" && reason != "unknown";
}

}  // namespace vballoon::ctl
