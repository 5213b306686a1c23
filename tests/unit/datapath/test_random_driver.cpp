// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_random_driver.cpp - a driver that does anything, in any order, on all
// queues. Invariants 1, 2 and 3 of the design, section 5: a page that is the guest's is not
// discarded, every buffer comes back exactly once, and the ledger is the set that the driver
// thinks; early or late, discarded inline or by somebody else some time later. Does not prove it
// for a driver that sends one page in two buffers at once: what the ledger then holds depends on
// which queue is served first, and either is right.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "support/device_fixture.hpp"
#include "support/step_sink.hpp"

namespace vballoon::datapath {
namespace {

constexpr unsigned kSlots = 16;         // buffers in flight per queue
constexpr unsigned kChain = 4;          // descriptors of one
constexpr std::uint32_t kPages = 6000;  // that the driver plays with

/// How the device is set up.
struct Mode {
  const char* name;
  bool tells_host;  // inflate buffers are used early
  bool stepped;     // batches wait until a step lets them go
  reclaim::ReclaimLimits limits;
};
constexpr reclaim::ReclaimLimits kFewPages{
    .ages = {.longest_us = UINT32_MAX, .long_runs_us = UINT32_MAX}, .window_pages = 50};
constexpr std::array<Mode, 6> kModes{{{"LateInline", false, false, kAtOnce},
                                      {"EarlyInline", true, false, kAtOnce},
                                      {"EarlyInlineNever", true, false, kNever},
                                      {"LateStepped", false, true, kNever},
                                      {"EarlyStepped", true, true, kAtOnce},
                                      {"EarlySteppedFewPages", true, true, kFewPages}}};

enum class Owner { kGuest, kInflating, kBalloon, kDeflating, kReported };

class RandomDriver {
 public:
  RandomDriver(unsigned seed, const Mode& mode)
      : mode_(mode),
        random_(seed),
        f_(kSlots * kChain, mode.limits),
        owner_(kPages),
        gone_(kPages) {
    if (mode.tells_host) f_.driver_tells();
    if (mode.stepped) f_.path().set_sink(sink_);
    for (const Role role : kAllRoles) {
      const auto begin = static_cast<std::uint16_t>(65536 - below(200));
      f_.ring(role).begin_at(begin);
      f_.start(role, begin);
    }
    const auto check = [this](const test::DiscardCall& call) { check_discard(call); };
    f_.discarder().on_call = check;
    sink_.discarder.on_call = check;
  }

  void step() {
    switch (below(14)) {
      case 0:
      case 1:
      case 2:
        send_pages(Role::kInflate, Owner::kGuest, Owner::kInflating);
        break;
      case 3:
      case 4:
        send_pages(Role::kDeflate, Owner::kBalloon, Owner::kDeflating);
        break;
      case 5:
        send_report();
        break;
      case 6:
        send_other(Role::kHint);
        break;
      case 7:
        send_other(Role::kStats);
        break;
      case 8:
        f_.path().request_stats();
        break;
      case 9:
        if (below(4) == 0) restart(kAllRoles[below(kAllRoles.size())]);
        break;
      case 10:
        if (sink_.waiting() != 0) sink_.step();
        break;
      default:
        f_.path().poll();
        break;
    }
    for (const Role role : kAllRoles) collect(role);
  }

  /// Everything comes back but the one statistics buffer that is held, and all of the balloon is
  /// discarded in the end.
  void finish() {
    while (f_.path().poll() || sink_.waiting() != 0) sink_.step_all();
    for (const Role role : kAllRoles) collect(role);
    for (const Role role : kAllRoles) {
      EXPECT_LE(in_flight_[role].size(), role == Role::kStats ? 1U : 0U) << wire::role_name(role);
    }
    const auto ballooned = std::count(owner_.begin(), owner_.end(), Owner::kBalloon);
    EXPECT_EQ(f_.counters().ballooned_pages.get(), static_cast<std::uint64_t>(ballooned));
    EXPECT_GT(returned_, 0U);
    reclaim::InlineSink here(f_.discarder());
    f_.path().discard_gathered(here);
    for (std::uint32_t page = 0; page < kPages; ++page) {
      ASSERT_TRUE(gone_[page] || owner_[page] != Owner::kBalloon) << page << " was forgotten";
    }
  }

 private:
  struct Buffer {
    std::vector<std::uint32_t> pages;  // indexes into owner_
  };

  std::size_t below(std::size_t n) { return random_() % n; }

  std::optional<std::uint16_t> free_head(Role role) {
    const auto slot = static_cast<std::uint16_t>(below(kSlots) * kChain);
    if (in_flight_[role].contains(slot)) return std::nullopt;
    return slot;
  }

  /// A place for the bytes of a buffer: 64 KiB for each slot, the second half for a table.
  static Gpa place(Role role, std::uint16_t head) {
    return Gpa{DeviceFixture::buffers(role).value + head / kChain * 64 * kKiB};
  }

  /// Takes pages from one owner and gives them to another.
  std::vector<std::uint32_t> pick(Owner from, Owner to, std::size_t most) {
    std::vector<std::uint32_t> picked;
    auto at = static_cast<std::uint32_t>(below(kPages));
    for (std::size_t tries = 0; tries < 4 * most && picked.size() < most; ++tries) {
      // Mostly neighbours, now and then a jump.
      at = static_cast<std::uint32_t>(below(10) == 0 ? below(kPages) : (at + 1) % kPages);
      if (owner_[at] != from) continue;
      owner_[at] = to;
      gone_[at] = false;
      picked.push_back(at);
    }
    return picked;
  }

  /// Cuts the bytes into up to kChain descriptors, or into an indirect table.
  void send(Role role, std::uint16_t head, Gpa at, std::uint32_t bytes, Buffer buffer) {
    std::vector<test::Piece> pieces;
    for (std::uint32_t done = 0; pieces.size() + 1 < kChain && done < bytes && below(2) == 0;) {
      const auto part = static_cast<std::uint32_t>(below(bytes - done + 1));
      pieces.push_back({Gpa{at.value + done}, part});
      done += part;
    }
    std::uint32_t cut = 0;
    for (const test::Piece& piece : pieces) cut += piece.bytes;
    pieces.push_back({Gpa{at.value + cut}, bytes - cut});
    if (below(2) == 0) {
      f_.ring(role).send_indirect(head, Gpa{place(role, head).value + 32 * kKiB}, pieces);
    } else {
      f_.ring(role).send(head, pieces);
    }
    in_flight_[role].emplace(head, std::move(buffer));
  }

  void send_pages(Role role, Owner from, Owner to) {
    const auto head = free_head(role);
    if (!head) return;
    Buffer buffer{pick(from, to, below(8) == 0 ? 2000 : below(64))};
    std::vector<std::uint32_t> words;
    for (const std::uint32_t page : buffer.pages) {
      words.push_back(DeviceFixture::page(page));
      if (below(50) == 0) words.push_back(UINT32_MAX - static_cast<std::uint32_t>(below(1000)));
    }
    test::Piece piece = f_.put_pfns(place(role, *head), words);
    const std::uint32_t odd = below(8) == 0 ? static_cast<std::uint32_t>(below(4)) : 0;
    send(role, *head, piece.gpa, piece.bytes + odd, std::move(buffer));
  }

  void send_report() {
    const auto head = free_head(Role::kReport);
    if (!head) return;
    Buffer buffer{pick(Owner::kGuest, Owner::kReported, kChain)};
    std::vector<test::Piece> pieces;
    for (const std::uint32_t page : buffer.pages) {
      pieces.push_back({to_gpa(Pfn{DeviceFixture::page(page)}), kPageSize, true});
    }
    if (pieces.empty()) pieces.push_back({place(Role::kReport, *head), 0, true});
    f_.ring(Role::kReport).send(*head, pieces);
    in_flight_[Role::kReport].emplace(*head, std::move(buffer));
  }

  void send_other(Role role) {
    const auto head = free_head(role);
    if (!head) return;
    send(role, *head, place(role, *head), static_cast<std::uint32_t>(below(200)), {});
  }

  void restart(Role role) {
    while (!f_.path().quiesce()) sink_.step_all();
    const std::uint16_t position = f_.path().stop(role);
    ASSERT_EQ(position, f_.ring(role).used_idx());
    f_.start(role, position, true);
  }

  void collect(Role role) {
    for (const std::uint32_t id : f_.ring(role).collect()) {
      const auto at = in_flight_[role].find(static_cast<std::uint16_t>(id));
      ASSERT_NE(at, in_flight_[role].end()) << wire::role_name(role) << " returned twice: " << id;
      for (const std::uint32_t page : at->second.pages) {
        const bool early = role == Role::kDeflate || (role == Role::kInflate && mode_.tells_host);
        ASSERT_TRUE(gone_[page] || early) << "used before it was discarded";
        owner_[page] = role == Role::kInflate ? Owner::kBalloon : Owner::kGuest;
      }
      in_flight_[role].erase(at);
      ++returned_;
    }
  }

  void check_discard(const test::DiscardCall& call) {
    const std::uint64_t first = DeviceFixture::file_page(DeviceFixture::page(0));
    for (std::uint64_t at = call.offset; at < call.offset + call.bytes; at += kPageSize) {
      const std::uint64_t n = at / kPageSize - first;
      ASSERT_LT(n, kPages);
      ASSERT_NE(owner_[n], Owner::kGuest) << "page " << n << " is in use";
      gone_[n] = true;
    }
  }

  const Mode mode_;
  std::mt19937 random_;
  test::StepSink sink_;
  DeviceFixture f_;
  std::vector<Owner> owner_;
  std::vector<bool> gone_;  // discarded since its owner changed last
  std::map<Role, std::map<std::uint16_t, Buffer>> in_flight_;
  std::uint64_t returned_ = 0;
};

class RandomDriverTest : public testing::TestWithParam<std::tuple<unsigned, Mode>> {};

TEST_P(RandomDriverTest, EveryBufferComesBackOnceAndNoPageInUseIsLost) {
  const auto& [seed, mode] = GetParam();
  RandomDriver driver(seed, mode);
  for (int i = 0; i < 4000 && !testing::Test::HasFatalFailure(); ++i) driver.step();
  driver.finish();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomDriverTest,
                         testing::Combine(testing::Range(1U, 9U), testing::ValuesIn(kModes)),
                         [](const auto& seeded) {
                           return std::get<Mode>(seeded.param).name +
                                  std::to_string(std::get<unsigned>(seeded.param));
                         });

}  // namespace
}  // namespace vballoon::datapath
