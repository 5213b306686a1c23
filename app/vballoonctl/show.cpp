// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/show.cpp - everything about one VM.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "command.hpp"
#include "format.hpp"
#include "options.hpp"
#include "stats_text.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;

void print_field(std::string_view name, std::string_view value) {
  fmt::print("  {:<11} {}\n", name, value);
}

std::vector<std::string> strings(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

std::string kind_of(const Json& device) {
  return text(device.value("settings", Json::object()), "kind");
}

/// What a driver of large pages said last.
std::string driver_text(const Json& driver) {
  using Reading = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Reading, 7> kWords{
      {{"reached", "as near to its target as its pages allow"},
       {"working", "on its way to its target"},
       {"exhausted", "finds nothing more with this effort, and tries again later"},
       {"no_node", "knows no such NUMA node, or its memory is offline"},
       {"withheld", "wants pages back that the host has no memory for"},
       {"oom", "does not inflate, for the guest has just run out of memory"},
       {"leaving", "is about to leave"}}};
  const std::string reason = text(driver, "reason");
  const auto* const words = std::ranges::find(kWords, std::string_view(reason), &Reading::first);
  return fmt::format("{}{}; {} ago, {} us for a page at most",
                     words == kWords.end() ? "says nothing that is known" : words->second,
                     driver.value("newest_target", false) ? "" : " (an earlier one)",
                     format_age(number(driver, "age_ms")), number(driver, "longest_us"));
}

std::string target_text(const Json& device) {
  std::string text = target_field(device);
  const bool is_share = device.value("target_share", Json()).is_number();
  if (is_share && known(device, "target_bytes")) {
    text += fmt::format(", {:.6g} % of its memory", device.value("target_share", 0.0) * 100);
  } else if (is_share) {
    text += " of the memory of the guest that comes";
  }
  if (number(device, "wanted_bytes") > number(device, "target_bytes")) {
    text += fmt::format(", the most that leaves the guest enough; {} was asked for",
                        size_field(device, "wanted_bytes"));
  }
  if (device.value("forced", false)) text += ", forced";
  return text;
}

std::string actual_text(const Json& device) {
  if (known(device, "actual_bytes")) {
    const bool counted = kind_of(device) == "large";
    return fmt::format("{}, as {}", size_field(device, "actual_bytes"),
                       counted ? "the daemon counts" : "the guest says");
  }
  return text(device, "state") == "running"
             ? "not known: the driver goes on from elsewhere, and has not said so since"
             : "-";
}

std::string reclaimed_text(const Json& device) {
  if (!known(device, "reclaimed_bytes")) {
    return "not known: the rings are stopped, and what the guest takes is not seen";
  }
  return fmt::format("{}{} in the balloon and given to the host",
                     text(device, "state") == "stopped" ? "at least " : "",
                     size_field(device, "reclaimed_bytes"));
}

std::string guest_text(const Json& device) {
  const bool less = text(device, "guest_source") == "statistics";
  return guest_field(device) +
         (less ? fmt::format(", as it says; its VMM shows {}, of which the rest is not plugged in, "
                             "not online or no memory of its",
                             size_field(device, "table_bytes"))
               : "");
}

void print_sizes(const Json& device) {
  print_field("guest", guest_text(device));
  print_field("target", target_text(device));
  print_field("actual", actual_text(device));
  if (const Json driver = device.value("driver", Json()); driver.is_object()) {
    print_field("driver", driver_text(driver));
  }
  print_field("reclaimed", reclaimed_text(device));
  if (const auto resident = device.find("resident_bytes");
      resident != device.end() && resident->is_number_unsigned()) {
    print_field("resident", fmt::format("{} of the host's memory, all that the guest takes now",
                                        size_field(device, "resident_bytes")));
  }
  if (device.value("on_disk", false)) {
    print_field("memory",
                "on a disk's file system: the kernel may bring back what was given to the host");
  }
  if (number(device, "never_huge_bytes") > 0) {
    print_field("pages", fmt::format("{} of its memory can never be huge pages: its VMM mapped it "
                                     "off a boundary of 2 MiB (QEMU: align=2M)",
                                     size_field(device, "never_huge_bytes")));
  }
  if (const std::string other = text(device, "shared_with"); !other.empty()) {
    print_field("shared",
                other == text(device, "name")
                    ? "some of its memory is in two places of the guest: that is not discarded"
                    : fmt::format("some of its memory is that of {}, too: not discarded", other));
  }
  if (number(device, "stranded_bytes") > 0) {
    print_field("stranded", fmt::format("{} in the balloon, in huge pages that are not whole yet",
                                        size_field(device, "stranded_bytes")));
  }
  print_field("discarded",
              fmt::format("{} so far, by inflation", size_field(device, "discarded_bytes")));
  print_field("reported", fmt::format("{} so far, free pages the guest reported",
                                      size_field(device, "reported_bytes")));
}

void print_free_pages(const Json& device) {
  if (!device.value("reporting", true)) {
    print_field("reporting", "off: what the guest reports is kept");
  }
  const Json features = device.value("features", Json::object());
  const auto acked = strings(features.value("acked", Json::array()));
  const bool poisons = std::find(acked.begin(), acked.end(), "PAGE_POISON") != acked.end();
  if (const auto poison = number(device, "poison_value"); poisons && poison != 0) {
    print_field("poison",
                fmt::format("{:#010x} in the guest's free pages: what it reports is kept", poison));
  }
  const Json hints = device.value("hints", Json::object());
  const std::string state = text(hints, "state");
  if (state.empty() || (state == "idle" && number(hints, "bytes") == 0)) return;
  print_field("hints", fmt::format("{}, {} of free pages hinted in the newest round", state,
                                   size_field(hints, "bytes")));
}

void print_features(const Json& device) {
  const Json features = device.value("features", Json::object());
  const auto acked = strings(features.value("acked", Json::array()));
  auto refused = strings(features.value("offered", Json::array()));
  std::erase_if(refused, [&acked](const std::string& name) {
    // This feature is between VMM and daemon; no driver ever takes it.
    return name == "VHOST_PROTOCOL_FEATURES" ||
           std::find(acked.begin(), acked.end(), name) != acked.end();
  });
  if (acked.empty()) return print_field("features", "none negotiated yet");
  print_field("features", fmt::format("{}", fmt::join(acked, " ")));
  if (!refused.empty()) print_field("not taken", fmt::format("{}", fmt::join(refused, " ")));
}

void print_queues(const Json& device) {
  for (const Json& queue : device.value("queues", Json::array())) {
    const std::string reason = text(queue, "reason");
    if (text(queue, "state") == "stopped" && number(queue, "buffers") == 0) continue;
    print_field(fmt::format("queue {}", number(queue, "index")),
                fmt::format("{:<8} {}{}{}, {} descriptors, {} buffers served", text(queue, "role"),
                            text(queue, "state"), reason.empty() ? "" : ": ", reason,
                            number(queue, "size"), number(queue, "buffers")));
  }
}

/// What its VMM noticed of ends of the daemon, and what it would notice of the next one.
void print_restarts(const Json& device) {
  if (text(device, "state") == "waiting" || !device.contains("outlives")) return;
  const Json counts = device.value("restarts", Json::object());
  const std::uint64_t count = number(counts, "count");
  std::string said = count == 0
                         ? "none since its VMM connected"
                         : fmt::format(
                               "{} since its VMM connected; not served for {} ms at the "
                               "last, {} ms at most",
                               count, number(counts, "last_ms"), number(counts, "longest_ms"));
  if (!device.value("outlives", false)) {
    said += "; the next one disconnects the VMM: " + text(device, "why_not_outlives");
  }
  print_field("restarts", said);
}

void print_counters(const Json& device) {
  const Json counters = device.value("counters", Json::object());
  bool headed = false;
  for (const auto& [name, value] : counters.items()) {
    if (number(counters, name) == 0) continue;
    if (!std::exchange(headed, true)) fmt::print("  counters that are not zero:\n");
    fmt::print("    {:<29} {}\n", name, number(counters, name));
  }
}

}  // namespace

int run_show(Command& command) {
  const auto result = command.call("device.show", {{"name", command.arguments.name}});
  if (!result) return complain(command, result.error());
  if (command.arguments.json) {
    print_json(*result);
    return kDone;
  }
  const Json& device = *result;
  fmt::print("{}\n", text(device, "name"));
  const std::string reason = text(device, "reason");
  const std::string place = device.value("alone", false)
                                ? "on a thread of its own"
                                : fmt::format("on lcore {}", number(device, "lcore"));
  print_field("state", fmt::format("{}, {}{}{}", state_field(device), place,
                                   reason.empty() ? "" : ": ", reason));
  if (text(device, "state") == "stopped") {
    print_field("", "paused or suspended, or the guest was reset or unloaded its driver");
  }
  print_field("socket", fmt::format("{} ({})", text(device, "socket"), text(device, "mode")));
  print_field("ballooned", device.value("automatic", false)
                               ? "automatically; `vballoonctl policy explain` tells why"
                               : "by hand");
  if (const std::string why = text(device, "why_not_kept"); !why.empty()) {
    print_field("not kept", fmt::format("what was asked for ends with this daemon: {}", why));
  }
  if (device.value("inhibited", false)) {
    print_field("inhibited", "nothing is discarded, by the operator's wish");
  }
  if (device.value("prefault", false)) {
    const std::string why = text(device, "no_prefault");
    print_field("prefault", why.empty() ? "pages are fetched before the guest gets them back"
                                        : "has no effect: " + why);
  }
  if (const auto settings = device.find("settings"); settings != device.end()) {
    const std::string changed = changed_options(*settings);
    print_field("settings", changed.empty() ? "the defaults" : changed + "; else the defaults");
  }
  print_restarts(device);
  print_sizes(device);
  print_free_pages(device);
  print_features(device);
  print_queues(device);
  print_counters(device);
  print_stats(device.value("stats", Json()));
  if (device.value("stats_stalled", false)) {
    print_field("stats", fmt::format("stalled: the guest has not answered for {}",
                                     format_age(number(device, "stats_waiting_ms"))));
  }
  return kDone;
}

}  // namespace vballoon::ctl
