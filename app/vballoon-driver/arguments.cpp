// SPDX-License-Identifier: BSD-3-Clause
#include "arguments.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/size_text.hpp"
#include "wire/stats.hpp"

namespace vballoon::app {
namespace {

using driver::StatEntry;

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

struct FeatureName {
  std::string_view name;
  wire::Feature feature;
};
constexpr std::array<FeatureName, 11> kFeatureNames{{
    {"must-tell-host", wire::Feature::kMustTellHost},
    {"stats", wire::Feature::kStatsVq},
    {"deflate-on-oom", wire::Feature::kDeflateOnOom},
    {"hint", wire::Feature::kFreePageHint},
    {"poison", wire::Feature::kPagePoison},
    {"report", wire::Feature::kReporting},
    {"indirect", wire::Feature::kIndirectDesc},
    {"protocol", wire::Feature::kVhostProtocolFeatures},
    {"version-1", wire::Feature::kVersion1},
    {"packed", wire::Feature::kRingPacked},
    {"in-order", wire::Feature::kInOrder},
}};

Result<std::uint64_t> feature_mask(std::string_view without) {
  std::uint64_t mask = ~std::uint64_t{0};
  for (const std::string_view word : split(without)) {
    const auto* const found =
        std::find_if(kFeatureNames.begin(), kFeatureNames.end(),
                     [word](const FeatureName& known) { return known.name == word; });
    if (found == kFeatureNames.end()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("--without: \"{}\" is none of must-tell-host, stats, deflate-on-oom, "
                              "hint, poison, report, indirect, protocol, version-1, packed, "
                              "in-order",
                              word));
    }
    mask &= ~wire::Features{}.with(found->feature).bits();
  }
  return mask;
}

/// Reads the short names of the command line: "free" for free_bytes, "7" for tag 7.
std::optional<std::uint16_t> stat_tag(std::string_view name) {
  for (std::uint16_t tag = 0; tag < wire::kKnownStats; ++tag) {
    std::string_view known = wire::stat_name(static_cast<wire::StatTag>(tag));
    if (known == name) return tag;
    if (known.ends_with("_bytes")) known.remove_suffix(6);
    if (known == name) return tag;
  }
  std::uint16_t tag = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), tag);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return tag;
}

Result<std::vector<StatEntry>> parse_stats(std::string_view text) {
  std::vector<StatEntry> entries;
  for (const std::string_view word : split(text)) {
    const std::size_t equals = std::min(word.find('='), word.size());
    const auto tag = stat_tag(word.substr(0, equals));
    if (!tag || equals == word.size()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("--stats: \"{}\" is not NAME=VALUE with a name such as free, total, "
                              "available, major_faults, or a tag's number",
                              word));
    }
    const auto value = parse_size(word.substr(equals + 1));
    if (!value) return tl::unexpected(value.error());
    entries.push_back({*tag, *value});
  }
  return entries;
}

Result<driver::RamPlan> plan_ram(const RawArguments& raw) {
  const auto bytes = parse_memory_size(raw.memory);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto hole = raw.hole.empty() ? Result<std::uint64_t>(0) : parse_memory_size(raw.hole);
  if (!hole) return tl::unexpected(hole.error());
  const auto huge =
      raw.huge_page.empty() ? Result<std::uint64_t>(0) : parse_memory_size(raw.huge_page);
  if (!huge) return tl::unexpected(huge.error());
  if (*bytes < 4 * kMiB || *bytes % (2 * kMiB) != 0 || *hole % (2 * kMiB) != 0) {
    return fail(Code::kInvalidArgument,
                fmt::format("--mem {} --hole {}: both must be whole 2 MiB, and memory at least two",
                            raw.memory, raw.hole));
  }
  const std::uint64_t below = *bytes / 2 / (2 * kMiB) * (2 * kMiB);
  driver::RamPlan plan =
      *hole == 0 ? driver::flat_ram(*bytes) : driver::ram_with_hole(*bytes, below, *hole);
  plan.huge_page = *huge;
  return plan;
}

Result<driver::Indirect> parse_indirect(std::string_view text) {
  if (text == "never") return driver::Indirect::kNever;
  if (text == "linux") return driver::Indirect::kLinux;
  if (text == "always") return driver::Indirect::kAlways;
  return fail(Code::kInvalidArgument,
              fmt::format("--indirect \"{}\" is none of never, linux, always", text));
}

Result<driver::DriverOptions> driver_options(const RawArguments& raw) {
  driver::DriverOptions options;
  const auto mask = feature_mask(raw.without);
  const auto indirect = parse_indirect(raw.indirect);
  auto stats = parse_stats(raw.stats);
  if (!mask) return tl::unexpected(mask.error());
  if (!indirect) return tl::unexpected(indirect.error());
  if (!stats) return tl::unexpected(stats.error());
  options.features = *mask;
  options.indirect = *indirect;
  options.stats = *std::move(stats);
  options.numbering = raw.spec_numbers ? driver::Numbering::kSpec : driver::Numbering::kLinux;
  options.wait = raw.spin ? driver::WaitMode::kSpin : driver::WaitMode::kInterrupt;
  options.queue_size = raw.queue_size;
  options.batch_pages = raw.batch;
  options.depth = raw.pipeline;
  options.poison_value = raw.poison;
  options.message_queue = raw.message_queue;
  options.timeout = std::chrono::seconds(raw.timeout_s);
  return options;
}

}  // namespace

void declare(CLI::App& app, RawArguments& raw) {
  app.set_version_flag("--version", "vballoon-driver " VBALLOON_VERSION);
  app.add_option("--socket", raw.socket, "the device's vhost-user socket")->required();
  app.add_flag("--listen", raw.listen, "make the socket and wait for the backend to connect");
  app.add_flag("--reconnect", raw.reconnect,
               "go on with the next backend when one goes away, where that one stopped");
  app.add_option("--mem", raw.memory, "guest memory")->capture_default_str();
  app.add_option("--hole", raw.hole, "split the memory in two around a hole of this size");
  app.add_option("--hugetlb", raw.huge_page, "back it by huge pages of this size (2M, 1G)");
  app.add_flag("--untouched", raw.untouched, "do not have the memory allocated beforehand");
  app.add_flag("--canaries", raw.canaries, "pages outside the balloon hold a pattern, checked");
  app.add_option("--order", raw.order, "ascending, descending, runs:N or random")
      ->capture_default_str();
  app.add_option("--seed", raw.seed, "of the order and the canaries")->capture_default_str();
  app.add_option("--batch", raw.batch, "page numbers a buffer")
      ->check(CLI::Range(1U, 65536U))
      ->capture_default_str();
  app.add_option("--pipeline", raw.pipeline, "buffers outstanding at most")
      ->check(CLI::Range(1U, 32768U))
      ->capture_default_str();
  app.add_option("--queue-size", raw.queue_size, "descriptors a queue")->capture_default_str();
  app.add_option("--stats", raw.stats, "answers to statistics requests: free=512M,total=1G,...");
  app.add_option("--poison", raw.poison, "value that free pages must keep");
  app.add_option("--without", raw.without, "features not to take, by name: stats,hint,...");
  app.add_option("--indirect", raw.indirect, "never, linux or always")->capture_default_str();
  app.add_flag("--spec-numbers", raw.spec_numbers, "number the queues by the spec, not by Linux");
  app.add_flag("--message-queue", raw.message_queue,
               "take feature bit 2 for the message queue, for the step \"pressure\"");
  app.add_flag("--spin", raw.spin, "look at the used ring all the time instead of sleeping");
  app.add_option("--timeout", raw.timeout_s, "seconds for one buffer or answer")
      ->check(CLI::Range(1U, 3600U))
      ->capture_default_str();
  app.add_flag("--json", raw.json, "print one JSON object instead of lines");
  app.add_option("STEP", raw.steps,
                 "inflate:SIZE deflate:SIZE report:SIZE hint:SIZE pressure follow:SECONDS "
                 "pause:SECONDS reset; done in the order given")
      ->required();
}

Result<Arguments> check(const RawArguments& raw) {
  Arguments arguments;
  arguments.socket = raw.socket;
  arguments.listen = raw.listen;
  arguments.reconnect = raw.reconnect;
  arguments.json = raw.json;
  auto ram = plan_ram(raw);
  auto options = driver_options(raw);
  const auto order = driver::parse_order(raw.order);
  if (!ram) return tl::unexpected(ram.error());
  if (!options) return tl::unexpected(options.error());
  if (!order) return tl::unexpected(order.error());
  for (const std::string& word : raw.steps) {
    auto step = driver::parse_step(word);
    if (!step) return tl::unexpected(step.error());
    arguments.steps.push_back(*std::move(step));
  }
  arguments.guest = {.ram = *std::move(ram),
                     .driver = *std::move(options),
                     .order = *order,
                     .seed = raw.seed,
                     .canaries = raw.canaries,
                     .touch = !raw.untouched};
  return arguments;
}

}  // namespace vballoon::app
