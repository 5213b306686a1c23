// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_no_allocation.cpp - no pass asks for memory, whatever a driver sends.
// Source: invariants 4 and 6 of the design, section 5. Does not see what libc's functions allocate
//         by themselves: passes call none that does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <random>
#include <vector>

#include "support/device_fixture.hpp"

namespace {

thread_local std::uint64_t allocations = 0;

void* counted(std::size_t bytes) {
  ++allocations;
  void* const memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Of this whole program; the other forms all come here.
void* operator new(std::size_t bytes) {
  return counted(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace vballoon::datapath {
namespace {

class Nothing final : public reclaim::Discarder {
 public:
  [[nodiscard]] bool discard(int, std::uint64_t offset, std::uint64_t) noexcept override {
    return offset % (16 * kMiB) != 0;  // some fail
  }
  [[nodiscard]] bool provide(int, std::uint64_t, std::uint64_t, std::byte*) noexcept override {
    return true;
  }
};

/// Passes until nothing moves. @return what they allocated.
std::uint64_t allocated_by_passes(DeviceFixture& f) {
  const std::uint64_t before = allocations;
  while (f.path().poll() || f.path().restless()) continue;
  return allocations - before;
}

class NoAllocation : public testing::TestWithParam<bool> {
 protected:
  NoAllocation() {
    if (GetParam()) f_.driver_tells();
    f_.path().set_sink(sink_);
    f_.path().prefault(true);
    f_.start_all();
  }
  void collect_all() {
    for (const Role role : kAllRoles) static_cast<void>(f_.ring(role).collect());
  }

  Nothing nothing_;
  reclaim::InlineSink sink_{nothing_};
  DeviceFixture f_;
};

TEST(Allocations, AreSeen) {
  const std::uint64_t before = allocations;
  const std::vector<int> memory(1);
  EXPECT_EQ(allocations, before + 1);
}

TEST_P(NoAllocation, PagesComeAndGo) {
  std::mt19937 random(5);
  std::vector<std::uint32_t> pages = pages_from(0, DeviceFixture::kHighBytes / kPageSize);
  std::shuffle(pages.begin(), pages.end(), random);
  for (const Role role : {Role::kInflate, Role::kDeflate}) {
    for (std::size_t at = 0; at < pages.size(); at += 8192) {
      for (std::uint16_t head = 0; head < 32; ++head) {
        const auto from = pages.begin() + static_cast<std::ptrdiff_t>(at + head * 256U);
        f_.send_pfns(role, head, {from, from + 256});
      }
      ASSERT_EQ(allocated_by_passes(f_), 0U) << wire::role_name(role) << " at " << at;
      ASSERT_EQ(f_.ring(role).collect().size(), 32U);
    }
    EXPECT_EQ(f_.counters().ballooned_pages.get(), role == Role::kInflate ? pages.size() : 0U);
  }
}

TEST_P(NoAllocation, StatisticsHintsReportsAndNonsense) {
  for (unsigned round = 0; round < 20; ++round) {
    f_.ring(Role::kStats).send(0, {f_.put_pfns(DeviceFixture::buffers(Role::kStats), {1, 2, 3})});
    f_.ring(Role::kHint).send(0, {f_.put_pfns(DeviceFixture::buffers(Role::kHint), {7})});
    f_.ring(Role::kReport)
        .send(0, {{Gpa{DeviceFixture::kHighFirst + round * 4 * kMiB}, 4 * kMiB, true}});
    f_.send_pfns(Role::kInflate, 0, {UINT32_MAX, 0, 5, 5, 5});
    f_.path().request_stats();
    ASSERT_EQ(allocated_by_passes(f_), 0U);
    collect_all();
  }
  f_.ring(Role::kDeflate).send(9, {{Gpa{UINT64_MAX - 3}, 8}});
  ASSERT_EQ(allocated_by_passes(f_), 0U);
}

INSTANTIATE_TEST_SUITE_P(LateAndEarly, NoAllocation, testing::Bool());

}  // namespace
}  // namespace vballoon::datapath
