// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/vm/test_guest_size.cpp - how much memory a guest has, by its table and its word.
#include <gtest/gtest.h>

#include "base/units.hpp"
#include "vm/guest_size.hpp"

namespace vballoon::vm {
namespace {

void expect(const SizeClues& clues, std::uint64_t bytes, SizeSource source) {
  const GuestSize size = guest_size(clues);
  EXPECT_EQ(size.bytes, bytes);
  EXPECT_EQ(source_name(size.source), source_name(source));
}

TEST(GuestSize, WithoutAMemoryTableNothingIsKnown) {
  expect({}, 0, SizeSource::kNothing);
  expect({0, 0, kGiB, 0}, 0, SizeSource::kNothing);
}

TEST(GuestSize, OfAGuestThatDoesNotSayItIsTheTable) {
  expect({2 * kGiB, kGiB, std::nullopt, kMiB}, 2 * kGiB, SizeSource::kMemoryTable);
}

/// What its kernel keeps for itself is its own all the same.
TEST(GuestSize, OfAnOrdinaryGuestItIsWhatItBootedWith) {
  expect({kGiB, kGiB, 960 * kMiB, 0}, kGiB, SizeSource::kMemoryTable);
  expect({kGiB, kGiB, 460 * kMiB, 500 * kMiB}, kGiB, SizeSource::kMemoryTable);
}

/// cloud-hypervisor #8116: a virtio-mem device of 2 GiB is in the table, whatever is plugged.
TEST(GuestSize, WhatIsNotPluggedIsNotTheGuests) {
  const std::uint64_t table = 2560 * kMiB, boot = 512 * kMiB;
  expect({table, boot, 400 * kMiB, 0}, boot, SizeSource::kStatistics);
  expect({table, boot, 1424 * kMiB, 0}, 1424 * kMiB, SizeSource::kStatistics);
  expect({table, boot, 2448 * kMiB, 0}, 2448 * kMiB, SizeSource::kStatistics);
}

TEST(GuestSize, TheBalloonIsTheGuestsAlsoWhereItDoesNotCountIt) {
  const std::uint64_t table = 2560 * kMiB, boot = 512 * kMiB;
  expect({table, boot, 924 * kMiB, 500 * kMiB}, 1424 * kMiB, SizeSource::kStatistics);
}

TEST(GuestSize, ALiarIsNeitherLargerThanTheTableNorSmallerThanItBooted) {
  const std::uint64_t table = 2560 * kMiB, boot = 512 * kMiB;
  for (const std::uint64_t apart : {std::uint64_t{0}, kGiB, UINT64_MAX}) {
    for (const std::uint64_t total : {std::uint64_t{0}, std::uint64_t{1}, table, UINT64_MAX}) {
      const GuestSize size = guest_size({table, boot, total, apart});
      EXPECT_GE(size.bytes, boot);
      EXPECT_LE(size.bytes, table);
    }
  }
  expect({table, boot, UINT64_MAX, UINT64_MAX}, table, SizeSource::kMemoryTable);
  expect({table, UINT64_MAX, 1, 0}, table, SizeSource::kMemoryTable);
}

}  // namespace
}  // namespace vballoon::vm
