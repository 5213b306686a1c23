// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/hostile.cpp - a hostile VM's chances, its life, and which action comes next.
#include "hostile.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <thread>

namespace vballoon::soak {
namespace {

using driver::DriverOptions;
using wire::Feature;

/// Long, because drivers run only when no other thread wants the cpu.
constexpr std::chrono::seconds kDial{60};

DriverOptions plain_options() {
  DriverOptions options;
  options.timeout = std::chrono::seconds(5);
  return options;
}

}  // namespace

/// Everything that a hostile VM may do next. The weights keep what ends a connection rare enough
/// for the rest to happen on it.
struct Actions {
  struct Entry {
    ActionKind kind;
    void (Hostile::*run)();
  };
  static constexpr std::array kAll{
      Entry{{"inflate", false, 60}, &Hostile::inflate},
      Entry{{"deflate", false, 40}, &Hostile::deflate},
      Entry{{"report", false, 20}, &Hostile::report},
      Entry{{"hint", false, 10}, &Hostile::hint},
      Entry{{"stats", false, 10}, &Hostile::stats},
      Entry{{"config", false, 20}, &Hostile::config},
      Entry{{"touch", false, 10}, &Hostile::touch},
      Entry{{"reset", false, 10}, &Hostile::reset},
      Entry{{"pause", false, 10}, &Hostile::pause},
      Entry{{"plug", false, 10}, &Hostile::plug},
      Entry{{"reconnect", false, 6}, &Hostile::reconnect},
      Entry{{"stay_away", false, 2}, &Hostile::stay_away},
      Entry{{"bad_head", true, 6}, &Hostile::bad_head},
      Entry{{"index_jump", true, 6}, &Hostile::index_jump},
      Entry{{"loop", true, 8}, &Hostile::loop},
      Entry{{"odd_chain", true, 16}, &Hostile::odd_chain},
      Entry{{"odd_table", true, 12}, &Hostile::odd_table},
      Entry{{"table_across_regions", true, 6}, &Hostile::table_across_regions},
      Entry{{"odd_pfns", true, 16}, &Hostile::odd_pfns},
      Entry{{"balloon_own_rings", true, 4}, &Hostile::balloon_own_rings},
      Entry{{"overwrite_used", true, 6}, &Hostile::overwrite_used},
      Entry{{"change_while_read", true, 10}, &Hostile::change_while_read},
      Entry{{"many_heads", true, 3}, &Hostile::many_heads},
      Entry{{"huge_lengths", true, 10}, &Hostile::huge_lengths},
      Entry{{"garbage_message", true, 8}, &Hostile::garbage_message},
      Entry{{"half_message", true, 6}, &Hostile::half_message},
      Entry{{"wrong_size", true, 6}, &Hostile::wrong_size},
      Entry{{"odd_config", true, 10}, &Hostile::odd_config},
      Entry{{"odd_ring_setup", true, 8}, &Hostile::odd_ring_setup},
      Entry{{"odd_files", true, 6}, &Hostile::odd_files},
      Entry{{"flood", true, 4}, &Hostile::flood},
      Entry{{"storm", true, 2}, &Hostile::storm},
      Entry{{"second_vmm", true, 4}, &Hostile::second_vmm},
      Entry{{"early_end", true, 4}, &Hostile::early_end},
      Entry{{"odd_memory_table", true, 8}, &Hostile::odd_memory_table},
      Entry{{"short_file", true, 3}, &Hostile::short_file},
      Entry{{"truncate", true, 4}, &Hostile::truncate},
      Entry{{"read_only_memory", true, 3}, &Hostile::read_only_memory},
  };
  static_assert(kAll.size() <= kMaxActions);

  static constexpr std::array<ActionKind, kAll.size()> kinds() {
    std::array<ActionKind, kAll.size()> kinds{};
    for (std::size_t i = 0; i < kinds.size(); ++i) kinds[i] = kAll[i].kind;
    return kinds;
  }
  static constexpr unsigned weights() {
    unsigned sum = 0;
    for (const Entry& entry : kAll) sum += entry.kind.weight;
    return sum;
  }
};

std::span<const ActionKind> action_kinds() noexcept {
  static constexpr auto kKinds = Actions::kinds();
  return kKinds;
}

Hostile::Hostile(std::string socket, std::uint64_t seed, Shared& shared)
    : socket_(std::move(socket)), shared_(shared), random_(seed) {}

void Hostile::act() {
  if (!driver_) renew();
  if (!driver_) return;
  unsigned dice = below(Actions::weights());
  std::size_t at = 0;
  while (dice >= Actions::kAll[at].kind.weight) dice -= Actions::kAll[at++].kind.weight;
  refused_ = false;
  (this->*Actions::kAll[at].run)();
  ActionCount& count = shared_.actions[at];
  count.done.fetch_add(1, std::memory_order_relaxed);
  if (!refused_) return;
  count.refused.fetch_add(1, std::memory_order_relaxed);
  leave();
}

// --- Chance ---

/// Any number, but mostly one of those that programmers forget.
std::uint64_t Hostile::any64() {
  const std::uint64_t anything = random_();
  switch (below(8)) {
    case 0:
      return anything;
    case 1:
      return anything >> below(64);
    case 2:
      return ~std::uint64_t{0} - below(4);
    case 3:
      return std::uint64_t{1} << below(64);
    case 4:
      return (std::uint64_t{1} << below(64)) - 1;
    case 5:
      return 0;
    default:
      return below(8192);
  }
}

void Hostile::nap(unsigned most_us) {
  std::this_thread::sleep_for(std::chrono::microseconds(below(most_us)));
}

void Hostile::scribble(std::span<std::byte> bytes) {
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_());
}

/// A place in memory outside the driver's corner, mostly; with this many bytes behind it.
Gpa Hostile::some_gpa(std::uint64_t room) {
  const Gpa at{to_gpa(pages_[below(static_cast<unsigned>(pages_.size()))]).value +
               (chance(30) ? below(kPageSize) : 0)};
  return ram_->at(at, room).empty() ? to_gpa(pages_.front()) : at;
}

/// Neighbours or scattered, each at most once.
std::vector<Pfn> Hostile::some_pages(unsigned most) {
  const auto count = static_cast<unsigned>(pages_.size());
  const unsigned wanted = 1 + below(most);
  std::vector<Pfn> chosen;
  while (chosen.size() < wanted) {
    const unsigned first = below(count);
    const unsigned run = chance(30) ? 1 : 1 + below(512);
    for (unsigned i = first; i < std::min(first + run, count); ++i) chosen.push_back(pages_[i]);
  }
  chosen.resize(wanted);
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  if (chance(30)) std::shuffle(chosen.begin(), chosen.end(), random_);
  return chosen;
}

std::vector<GpaRange> Hostile::some_ranges(unsigned most) {
  std::vector<GpaRange> ranges;
  for (unsigned i = 1 + below(most); i > 0; --i) {
    const std::uint64_t bytes = kPageSize * (1 + below(chance(20) ? 512 : 16));
    const Gpa at = to_gpa(pages_[below(static_cast<unsigned>(pages_.size()))]);
    if (!ram_->at(at, bytes).empty()) ranges.push_back({at, bytes});
  }
  return ranges;
}

DriverOptions Hostile::some_options() {
  DriverOptions options = plain_options();
  for (const Feature feature :
       {Feature::kMustTellHost, Feature::kStatsVq, Feature::kReporting, Feature::kFreePageHint,
        Feature::kIndirectDesc, Feature::kInOrder}) {
    if (chance(20)) options.features &= ~wire::Features{}.with(feature).bits();
  }
  const bool split = chance(50);
  if (split) options.features &= ~wire::Features{}.with(Feature::kRingPacked).bits();
  options.depth = chance(60) ? 1 : 1 + below(16);
  options.batch_pages = chance(60) ? 256 : 1 + below(600);
  options.queue_size = 1U << (2 + below(8));
  if (!split) options.queue_size += below(options.queue_size);
  options.indirect = static_cast<driver::Indirect>(below(3));
  return options;
}

driver::RamPlan Hostile::some_ram() {
  switch (below(3)) {
    case 0:
      return driver::flat_ram(kMiB * (8 + 2 * below(9)));
    case 1:
      return driver::ram_with_hole(16 * kMiB, 8 * kMiB, kMiB * (1 + below(64)));
    default:
      break;
  }
  // As many regions as the protocol allows, with and without holes between them.
  driver::RamPlan plan;
  Gpa next{0};
  for (unsigned i = 0; i < 1 + below(wire::kMaxRegions); ++i) {
    plan.regions.push_back({.first = next, .bytes = 2 * kMiB, .file = i});
    next.value += kMiB * (2 + 2 * below(3));
  }
  return plan;
}

driver::Role Hostile::some_role() {
  const auto role = static_cast<driver::Role>(below(driver::kRoles));
  return driver_->queue_number(role) ? role : driver::Role::kInflate;
}

// --- Life ---

void Hostile::leave() noexcept {
  driver_.reset();
  ram_.reset();
}

/// @return whether the daemon serves it now.
bool Hostile::start(const driver::RamPlan& plan, const DriverOptions& options) {
  const driver::Deadline deadline(kDial);
  leave();
  auto ram = driver::GuestRam::create(plan);
  if (!ram) return false;
  ram_.emplace(*std::move(ram));
  do {
    // The daemon turns a second VMM away, also while it has not yet seen the first one go.
    auto socket = driver::MessageSocket::connect(socket_, deadline);
    if (!socket) break;
    auto driver = driver::BalloonDriver::start(*std::move(socket), *ram_, options);
    if (driver) {
      driver_ = *std::move(driver);
      pages_ = ram_->pages();
      std::erase_if(pages_, [this](Pfn pfn) { return driver_->arena().holds(pfn); });
      return true;
    }
    if (driver.error().code == Code::kInvalidArgument) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  } while (!deadline.passed());
  shared_.unreachable.fetch_add(1, std::memory_order_relaxed);
  leave();
  return false;
}

void Hostile::settle() {
  while (!start(driver::flat_ram(16 * kMiB), plain_options())) {
    if (shared_.phase.load(std::memory_order_relaxed) == Phase::kEnd) return;
  }
}

void Hostile::renew() {
  start(some_ram(), some_options());
}

/// After a fault of a ring: the guest is started again, and must be served as if nothing had been.
void Hostile::heal() {
  nap(2000);
  if (chance(20)) return;  // left as it is, for a while or until something else comes
  if (!driver_->reset(some_options())) renew();
  const bool served = driver_ && driver_->inflate(std::span(pages_).first(32)) &&
                      driver_->deflate(std::span(pages_).first(32));
  (served ? shared_.healed : shared_.not_healed).fetch_add(1, std::memory_order_relaxed);
  if (!served) leave();
}

void Hostile::expect(const Result<void>& done) {
  if (!done) refused_ = true;
}

}  // namespace vballoon::soak
