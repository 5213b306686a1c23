// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/window_fixture.hpp - a window over eight blocks, and the ledger beside it.
// Time is a number that the test moves.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "reclaim/ledger.hpp"
#include "reclaim/window.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {

inline constexpr std::uint64_t kBlockPages = kBlockBytes / kPageSize;
inline constexpr WindowAges kAges{.longest_us = 1000, .long_runs_us = 100};

using Runs = std::vector<PageRun>;

class WindowTest : public testing::Test {
 protected:
  /// Eight whole blocks from page 0 on, then half a block behind a hole, from page 8192 on.
  void build(WindowAges ages, bool transparent_huge_pages = false) {
    auto memory = phantom_.map();
    if (transparent_huge_pages) {
      // What a tmpfs with huge=always says of itself; tests have none.
      for (const gmem::Region& region : memory->regions()) {
        const_cast<gmem::Region&>(region).backing.huge_pages = true;
      }
    }
    blocks_ = std::make_unique<BlockMap>(std::move(memory));
    ledger_ = std::make_unique<Ledger>(*blocks_);
    window_ = std::make_unique<Window>(*blocks_, ages);
  }
  void SetUp() override { build(kAges); }

  void add(PageRun run, std::uint64_t now_us = 0) {
    blocks_->for_each_part(run, [&](const Part& part) {
      ledger_->insert(part);
      window_->add(part, ledger_->complete(part.block), now_us);
    });
  }
  void remove(PageRun run) {
    blocks_->for_each_part(run, [&](const Part& part) {
      ledger_->erase(part);
      window_->remove(part);
    });
  }
  Runs take_all() {
    Runs runs;
    while (const auto run = window_->take()) runs.push_back(*run);
    return runs;
  }
  Runs at(std::uint64_t now_us) {
    window_->age(now_us);
    return take_all();
  }

  static constexpr std::uint64_t kTail = 8192;
  test::PhantomMap phantom_{
      -1, std::vector<test::RamPiece>{{Gpa{0}, 8 * kBlockBytes, 0},
                                      {gpa_of(kTail), kBlockBytes / 2, 64 * kBlockBytes}}};
  std::unique_ptr<BlockMap> blocks_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Window> window_;
};

}  // namespace vballoon::reclaim
