// SPDX-License-Identifier: BSD-3-Clause
#include "arguments.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <optional>

#include "base/size_text.hpp"
#include "wire/large_balloon.hpp"
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

constexpr std::string_view kLarge = "large";

struct FeatureName {
  std::string_view name;
  unsigned bit;
};
constexpr FeatureName named(std::string_view name, wire::Feature feature) {
  return {name, static_cast<unsigned>(feature)};
}
constexpr FeatureName named(std::string_view name, wire::large::Feature feature) {
  return {name, static_cast<unsigned>(feature)};
}
constexpr std::array kTransportNames{
    named("indirect", wire::Feature::kIndirectDesc),
    named("protocol", wire::Feature::kVhostProtocolFeatures),
    named("version-1", wire::Feature::kVersion1),
    named("packed", wire::Feature::kRingPacked),
    named("in-order", wire::Feature::kInOrder),
};
constexpr std::array kStockNames{
    named("must-tell-host", wire::Feature::kMustTellHost),
    named("stats", wire::Feature::kStatsVq),
    named("deflate-on-oom", wire::Feature::kDeflateOnOom),
    named("hint", wire::Feature::kFreePageHint),
    named("poison", wire::Feature::kPagePoison),
    named("report", wire::Feature::kReporting),
};
constexpr std::array kLargeNames{
    named("sizes", wire::large::Feature::kSizes),
    named("node", wire::large::Feature::kNode),
    named("node-stats", wire::large::Feature::kNodeStats),
    named("pressure", wire::large::Feature::kPressure),
    named("deflate-on-oom", wire::large::Feature::kDeflateOnOom),
    named("release", wire::large::Feature::kRelease),
    named("state", wire::large::Feature::kState),
};

/// Of this kind of balloon, its own first.
std::vector<FeatureName> feature_names(const RawArguments& raw) {
  std::vector<FeatureName> names(kStockNames.begin(), kStockNames.end());
  if (raw.kind == kLarge) names = {kLargeNames.begin(), kLargeNames.end()};
  names.insert(names.end(), kTransportNames.begin(), kTransportNames.end());
  return names;
}

Result<std::uint64_t> feature_mask(const RawArguments& raw) {
  const std::vector<FeatureName> names = feature_names(raw);
  std::uint64_t mask = ~std::uint64_t{0};
  for (const std::string_view word : split(raw.without)) {
    const auto found = std::ranges::find(names, word, &FeatureName::name);
    if (found == names.end()) {
      std::vector<std::string_view> known;
      known.reserve(names.size());
      for (const FeatureName& feature : names) known.push_back(feature.name);
      return fail(Code::kInvalidArgument,
                  fmt::format("--without: \"{}\" is none of {}", word, fmt::join(known, ", ")));
    }
    mask &= ~(std::uint64_t{1} << found->bit);
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

/// What every kind of balloon has.
Result<driver::VirtioOptions> virtio_options(const RawArguments& raw) {
  driver::VirtioOptions options;
  const auto mask = feature_mask(raw);
  const auto indirect = parse_indirect(raw.indirect);
  if (!mask) return tl::unexpected(mask.error());
  if (!indirect) return tl::unexpected(indirect.error());
  options.features = *mask;
  options.indirect = *indirect;
  options.wait = raw.spin ? driver::WaitMode::kSpin : driver::WaitMode::kInterrupt;
  options.queue_size = raw.queue_size;
  options.timeout = std::chrono::seconds(raw.timeout_s);
  return options;
}

Result<driver::GuestHabits> habits_of(const RawArguments& raw) {
  auto ram = plan_ram(raw);
  const auto order = driver::parse_order(raw.order);
  if (!ram) return tl::unexpected(ram.error());
  if (!order) return tl::unexpected(order.error());
  return driver::GuestHabits{.ram = *std::move(ram),
                             .order = *order,
                             .seed = raw.seed,
                             .canaries = raw.canaries,
                             .touch = !raw.untouched};
}

driver::GuestOptions stock_guest(const RawArguments& raw, driver::VirtioOptions virtio,
                                 std::vector<StatEntry> stats) {
  driver::GuestOptions guest;
  static_cast<driver::VirtioOptions&>(guest.driver) = std::move(virtio);
  guest.driver.stats = std::move(stats);
  guest.driver.numbering = raw.spec_numbers ? driver::Numbering::kSpec : driver::Numbering::kLinux;
  guest.driver.batch_pages = raw.batch;
  guest.driver.depth = raw.pipeline;
  guest.driver.poison_value = raw.poison;
  guest.driver.message_queue = raw.message_queue;
  return guest;
}

/// Options that mean nothing to a balloon of large pages are a mistake, not something to leave out.
Result<void> check_large(const RawArguments& raw) {
  const char* const wrong = raw.spec_numbers    ? "--spec-numbers"
                            : raw.message_queue ? "--message-queue"
                            : raw.poison != 0   ? "--poison"
                                                : nullptr;
  if (wrong == nullptr) return {};
  return fail(Code::kInvalidArgument, fmt::format("{}: only --kind stock has it", wrong));
}

Result<std::vector<std::uint64_t>> parse_sizes(std::string_view text) {
  std::vector<std::uint64_t> sizes;
  for (const std::string_view word : split(text)) {
    const auto size = parse_size(word);
    if (!size) return tl::unexpected(size.error());
    if (!std::has_single_bit(*size) || *size < kPageSize) {
      return fail(Code::kInvalidArgument,
                  fmt::format("--sizes: \"{}\" is no size of a page, as 4K, 2M or 1G", word));
    }
    sizes.push_back(*size);
  }
  return sizes;
}

Result<driver::LargeGuestOptions> large_guest(const RawArguments& raw, driver::VirtioOptions virtio,
                                              const std::vector<StatEntry>& stats) {
  if (auto fits = check_large(raw); !fits) return tl::unexpected(fits.error());
  auto sizes = parse_sizes(raw.sizes);
  if (!sizes) return tl::unexpected(sizes.error());
  driver::LargeGuestOptions guest;
  static_cast<driver::VirtioOptions&>(guest.driver) = std::move(virtio);
  guest.sizes = *std::move(sizes);
  guest.driver.max_pages = raw.batch;
  guest.driver.depth = raw.pipeline;
  for (const StatEntry& entry : stats) {
    guest.driver.stats.push_back({.tag = entry.tag, .value = entry.value});
  }
  return guest;
}

Result<void> add_guest(const RawArguments& raw, Arguments& arguments) {
  auto virtio = virtio_options(raw);
  auto stats = parse_stats(raw.stats);
  auto habits = habits_of(raw);
  if (!virtio) return tl::unexpected(virtio.error());
  if (!stats) return tl::unexpected(stats.error());
  if (!habits) return tl::unexpected(habits.error());
  if (raw.kind == kLarge) {
    auto guest = large_guest(raw, *std::move(virtio), *stats);
    if (!guest) return tl::unexpected(guest.error());
    guest->habits = *std::move(habits);
    arguments.guest = *std::move(guest);
    return {};
  }
  if (!raw.sizes.empty()) {
    return fail(Code::kInvalidArgument, "--sizes: only --kind large has it");
  }
  driver::GuestOptions guest = stock_guest(raw, *std::move(virtio), *std::move(stats));
  guest.habits = *std::move(habits);
  arguments.guest = std::move(guest);
  return {};
}

}  // namespace

void declare(CLI::App& app, RawArguments& raw) {
  app.set_version_flag("--version", "vballoon-driver " VBALLOON_VERSION);
  app.add_option("--socket", raw.socket, "the device's vhost-user socket")->required();
  app.add_option("--kind", raw.kind, "of balloon: stock (device 5) or large (device 13)")
      ->check(CLI::IsMember(std::vector<std::string>{"stock", std::string(kLarge)}))
      ->capture_default_str();
  app.add_flag("--listen", raw.listen, "make the socket and wait for the backend to connect");
  app.add_flag("--reconnect", raw.reconnect,
               "go on with the next backend when one goes away, where that one stopped");
  app.add_option("--mem", raw.memory, "guest memory")->capture_default_str();
  app.add_option("--hole", raw.hole, "split the memory in two around a hole of this size");
  app.add_option("--hugetlb", raw.huge_page, "back it by huge pages of this size (2M, 1G)");
  app.add_option("--sizes", raw.sizes, "pages of a large balloon: 2M,4K; else all it takes");
  app.add_flag("--untouched", raw.untouched, "do not have the memory allocated beforehand");
  app.add_flag("--canaries", raw.canaries, "pages outside the balloon hold a pattern, checked");
  app.add_option("--order", raw.order, "ascending, descending, runs:N or random")
      ->capture_default_str();
  app.add_option("--seed", raw.seed, "of the order and the canaries")->capture_default_str();
  app.add_option("--batch", raw.batch, "page numbers, or addresses, a buffer")
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
                 "inflate:SIZE deflate:SIZE report:SIZE hint:SIZE release:SIZE pressure "
                 "follow:SECONDS pause:SECONDS reset; done in the order given")
      ->required();
}

Result<Arguments> check(const RawArguments& raw) {
  Arguments arguments;
  arguments.socket = raw.socket;
  arguments.listen = raw.listen;
  arguments.reconnect = raw.reconnect;
  arguments.json = raw.json;
  if (auto added = add_guest(raw, arguments); !added) return tl::unexpected(added.error());
  for (const std::string& word : raw.steps) {
    auto step = driver::parse_step(word);
    if (!step) return tl::unexpected(step.error());
    arguments.steps.push_back(*std::move(step));
  }
  return arguments;
}

}  // namespace vballoon::app
