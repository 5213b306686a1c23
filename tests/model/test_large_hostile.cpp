// SPDX-License-Identifier: BSD-3-Clause
//
// Device 13 and a driver that sends what no driver may: docs/device-13.md, DEV-15 to DEV-20. Each
// fault is counted, its buffer comes back, and what is right in the same message is done.
#include "harness/large_fixture.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;
using wire::large::Reason;

class LargeHostile : public LargeTest {
 protected:
  /// A page of 2 MiB that is as it should be, and one that is not: the first one alone is taken.
  void expect_skipped(LargeBalloonDriver& driver, std::uint64_t address, const char* counted,
                      std::uint64_t times = 1) {
    SCOPED_TRACE(testing::Message() << std::hex << address);
    const std::uint64_t before = counter(counted);
    const std::vector<Gpa> pages{Gpa{address}, Gpa{5 * kLargeBytes}};
    const auto answer = must(driver.exchange(pages_message(kLargeShift, pages), 0));
    EXPECT_EQ(answer.written, 0U);
    expect_ballooned_bytes(kLargeBytes);
    EXPECT_EQ(counter(counted), before + times);
    take_out(driver, 5);
    expect_ballooned_bytes(0);
  }
  void take_out(LargeBalloonDriver& driver, std::uint64_t page) {
    driver.balloon().add(large_pages(page, 1), kLargeShift);
    EXPECT_EQ(must(driver.withdraw(1, kLargeShift)), large_pages(page, 1));
  }
  /// The message comes back with nothing in it, and has no effect. The daemon shows its ledger a
  /// little after the driver sees a message used, so the driver's own count is the measure.
  /// @pre all pages in the balloon are of 2 MiB
  void expect_without_effect(LargeBalloonDriver& driver, std::span<const std::byte> readable,
                             std::uint32_t room = 0) {
    const std::uint64_t before = driver.balloon().size() * kLargeBytes;
    const auto answer = must(driver.exchange(readable, room));
    EXPECT_EQ(answer.written, 0U);
    for (const std::byte byte : answer.bytes) ASSERT_EQ(byte, std::byte{0xA5}) << "not written";
    expect_ballooned_bytes(before);
  }
};

/// DEV-15.
TEST_F(LargeHostile, AnAddressThatIsNotAlignedIsSkipped) {
  const auto driver = connect();
  expect_skipped(*driver, 4 * kLargeBytes + kPageSize, "unaligned");
  expect_skipped(*driver, 4 * kLargeBytes + 1, "unaligned");
  expect_skipped(*driver, ~std::uint64_t{0}, "unaligned");
}

/// DEV-15. The RAM is 32 MiB.
TEST_F(LargeHostile, AnAddressThatIsNoMemoryIsSkipped) {
  const auto driver = connect();
  expect_skipped(*driver, 16 * kLargeBytes, "outside_memory");
  expect_skipped(*driver, std::uint64_t{1} << 43, "outside_memory");
  expect_skipped(*driver, ~std::uint64_t{0} << kLargeShift, "outside_memory");
}

/// DEV-15: wholly guest memory. The RAM ends in the middle of a page.
TEST_F(LargeHostile, APageOfWhichAPartIsNoMemoryIsSkipped) {
  ram_ = must(GuestRam::create(driver::flat_ram(33 * kMiB)));
  const auto driver = connect();
  expect_skipped(*driver, 16 * kLargeBytes, "outside_memory");
}

/// DEV-15. A device that discarded its rings would read zeroes in them.
TEST_F(LargeHostile, ItsOwnRingsNeverGoIntoTheBalloon) {
  const auto driver = connect();
  expect_skipped(*driver, 0, "in_a_ring");  // the driver's memory is at the beginning
  must(driver->add(large_pages(1, 2), kLargeShift));
  EXPECT_EQ(must(driver->withdraw(2, kLargeShift)).size(), 2U) << "the rings are as they were";
}

/// DEV-15.
TEST_F(LargeHostile, APageThatIsInTheBalloonIsNotPutInAgain) {
  const auto driver = connect();
  must(driver->add(large_pages(3, 1), kLargeShift));
  const std::uint64_t before = counter("already_ballooned");
  // As it is, as a part of it, and twice in one message.
  static_cast<void>(must(driver->exchange(pages_message(kLargeShift, large_pages(3, 1)), 0)));
  const auto part = small_pages_at(3 * kLargeBytes + kPageSize, 1);
  static_cast<void>(must(driver->exchange(pages_message(kSmallShift, part), 0)));
  const std::vector<Gpa> twice{Gpa{4 * kLargeBytes}, Gpa{4 * kLargeBytes}};
  static_cast<void>(must(driver->exchange(pages_message(kLargeShift, twice), 0)));
  driver->balloon().add(large_pages(4, 1), kLargeShift);
  expect_ballooned_bytes(2 * kLargeBytes);
  EXPECT_EQ(counter("already_ballooned"), before + 3);
  EXPECT_EQ(must(driver->withdraw(9, kLargeShift)).size(), 2U);
  expect_no_violations(driver->violations());
}

/// DEV-15: a large page over small ones that are in the balloon.
TEST_F(LargeHostile, APageThatCoversSmallerOnesOfTheBalloonIsSkipped) {
  const auto driver = connect();
  must(driver->add(small_pages_at(4 * kLargeBytes + 8 * kPageSize, 1), kSmallShift));
  static_cast<void>(must(driver->exchange(pages_message(kLargeShift, large_pages(4, 1)), 0)));
  expect_ballooned_bytes(kPageSize);
  EXPECT_EQ(counter("already_ballooned"), 1U);
  EXPECT_EQ(must(driver->withdraw(9, kLargeShift)).size(), 0U);
  EXPECT_EQ(must(driver->withdraw(9, kSmallShift)).size(), 1U);
}

/// DEV-15.
TEST_F(LargeHostile, PagesOfASizeThatIsNotOfferedAreSkipped) {
  const auto driver = connect();
  for (const unsigned shift : {13U, 20U, 30U, 11U, 1U, 44U, 255U}) {
    SCOPED_TRACE(shift);
    const std::uint64_t before = counter("sizes_not_offered");
    expect_without_effect(*driver, pages_message(shift, large_pages(2, 3)));
    EXPECT_EQ(counter("sizes_not_offered"), before + 3);
    expect_without_effect(*driver, pages_message(shift, {}), 64);
  }
}

/// DEV-16.
TEST_F(LargeHostile, AddressesBeyondMaxPagesAreIgnored) {
  const auto driver = connect();
  const std::uint64_t most = driver->config().max_pages;
  const auto pages = small_pages_at(kFirstLarge, most + 10);
  EXPECT_EQ(must(driver->exchange(pages_message(kSmallShift, pages), 0)).written, 0U);
  expect_ballooned_bytes(most * kPageSize);
  EXPECT_EQ(counter("beyond_max_pages"), 10U);
  // As many as one message may have, where more is asked for.
  const auto room = static_cast<std::uint32_t>((most + 10) * 8);
  EXPECT_EQ(must(driver->exchange(pages_message(kSmallShift, {}), room)).written, most * 8);
  expect_ballooned_bytes(0);
}

/// DEV-16.
TEST_F(LargeHostile, BytesAtTheEndThatMakeNoFieldAreIgnored) {
  const auto driver = connect();
  auto bytes = pages_message(kLargeShift, large_pages(2, 2));
  bytes.resize(bytes.size() - 1);
  EXPECT_EQ(must(driver->exchange(bytes, 0)).written, 0U);
  expect_ballooned_bytes(kLargeBytes);
  const auto answer = must(driver->exchange(pages_message(kLargeShift, {}), 15));
  EXPECT_EQ(answer.written, 8U);
  EXPECT_EQ(answer.bytes[8], std::byte{0xA5});
}

/// DEV-16.
TEST_F(LargeHostile, AMessageThatIsCutShortComesBack) {
  const auto driver = connect();
  const auto whole = pages_message(kLargeShift, large_pages(2, 1));
  for (std::size_t length = 1; length < 16; ++length) {
    SCOPED_TRACE(length);
    expect_without_effect(*driver, std::span(whole).first(length));
  }
  EXPECT_EQ(counter("short_messages"), 7U) << "without a whole header";
  expect_without_effect(*driver, {}, 32);
}

/// DEV-17.
TEST_F(LargeHostile, AMessageOfAnUnknownTypeComesBack) {
  const auto driver = connect();
  const auto pages = large_pages(2, 2);
  for (const int type : {5, 9, 127, 255}) {
    const Header header{.type = static_cast<MessageType>(type)};
    expect_without_effect(*driver, message(header));
    expect_without_effect(*driver, message(header, std::as_bytes(std::span(pages))), 64);
  }
  EXPECT_EQ(counter("unknown_messages"), 8U);
}

/// DEV-17.
TEST_F(LargeHostile, AReleaseThatCannotBeAnsweredHasNoEffect) {
  const auto driver = connect();
  must(driver->add(large_pages(2, 2), kLargeShift));
  const auto bytes = pages_message(kLargeShift, large_pages(2, 2), MessageType::kRelease);
  expect_without_effect(*driver, bytes);
  expect_without_effect(*driver, bytes, 7);
  EXPECT_EQ(must(driver->withdraw(2, kLargeShift)).size(), 2U);
}

/// DEV-17: a message of a feature that was not taken.
TEST_F(LargeHostile, AMessageOfAFeatureThatWasNotTakenIsUnknown) {
  LargeOptions options;
  options.features = all_but_large({wire::large::Feature::kRelease, wire::large::Feature::kState,
                                    wire::large::Feature::kPressure});
  const auto driver = connect(options);
  must(driver->add(large_pages(2, 2), kLargeShift));
  const std::vector<std::byte> body(24);
  for (const auto type : {MessageType::kRelease, MessageType::kState, MessageType::kPressure}) {
    expect_without_effect(*driver, message({.type = type}, body), 8);
  }
  EXPECT_EQ(counter("unknown_messages"), 3U);
}

/// DEV-18.
TEST_F(LargeHostile, AddressesOfBothDirectionsInOneMessageHaveNoEffect) {
  const auto driver = connect();
  must(driver->add(large_pages(2, 2), kLargeShift));
  expect_without_effect(*driver, pages_message(kLargeShift, large_pages(6, 2)), 64);
  EXPECT_EQ(counter("wrong_direction"), 1U);
  EXPECT_EQ(must(driver->withdraw(9, kLargeShift)).size(), 2U);
}

/// DEV-20: the guest's claims decide nothing.
TEST_F(LargeHostile, SerialsAndStatesThatLieChangeNothing) {
  const auto driver = connect();
  set_target(8 * kMiB);
  ASSERT_TRUE(hears(*driver, 8 * kMiB / kPageSize));
  must(driver->add(large_pages(2, 2), kLargeShift));
  for (const std::uint32_t serial : {0U, 1U, 0x80000000U, ~0U}) {
    const wire::large::State lie{.size = ~std::uint64_t{0}, .target = 1, .longest_us = ~0U};
    const auto body = std::as_bytes(std::span(&lie, 1));
    for (const std::uint16_t reason : std::array<std::uint16_t, 5>{0, 3, 6, 7, 0xffff}) {
      static_cast<void>(must(driver->exchange(
          message({.type = MessageType::kState, .detail = reason, .serial = serial}, body), 0)));
    }
  }
  expect_ballooned_bytes(2 * kLargeBytes);
  EXPECT_EQ(show().at("target_bytes"), 8 * kMiB);
  EXPECT_EQ(must(driver->withdraw(9, kLargeShift)).size(), 2U);
  must(driver->send_state(Reason::kLeaving, {}));
  must(driver->add(large_pages(2, 2), kLargeShift));
  expect_ballooned_bytes(2 * kLargeBytes);
}

TEST_F(LargeHostile, MoreThanThereIsIsAShortAnswer) {
  const auto driver = connect();
  must(driver->add(large_pages(2, 3), kLargeShift));
  EXPECT_EQ(must(driver->exchange(pages_message(kLargeShift, {}), 512)).written, 24U);
  EXPECT_EQ(must(driver->exchange(pages_message(kLargeShift, {}), 512)).written, 0U);
  expect_ballooned_bytes(0);
}

/// DEV-4: such buffers come back, or stay, and no request is lost with them.
TEST_F(LargeHostile, BuffersTooSmallForARequestDoNoHarm) {
  LargeOptions options;
  options.requests.bytes = 15;
  const auto driver = connect(options);
  set_target(4 * kMiB);
  EXPECT_FALSE(must(driver->serve(driver::Deadline(milliseconds(100)))));
  EXPECT_FALSE(driver->target());
  must(driver->add(large_pages(2, 1), kLargeShift));
  must(driver->reset(LargeOptions{}));
  EXPECT_TRUE(hears(*driver, 4 * kMiB / kPageSize));
}

TEST_F(LargeHostile, BuffersThatTheDeviceMayOnlyReadDoNoHarm) {
  LargeOptions options;
  options.requests.writable = false;
  const auto driver = connect(options);
  set_target(4 * kMiB);
  EXPECT_FALSE(must(driver->serve(driver::Deadline(milliseconds(100)))));
  EXPECT_FALSE(driver->target());
  must(driver->add(large_pages(2, 1), kLargeShift));
  expect_ballooned_bytes(kLargeBytes);
}

/// Section 2: where a message is cut into descriptors means nothing.
TEST_F(LargeHostile, AMessageMayBeCutAnywhere) {
  const auto driver = connect();
  const auto bytes = pages_message(kLargeShift, large_pages(2, 3));
  const Gpa at = driver->scratch();
  std::ranges::copy(bytes, ram_.at(at, bytes.size()).begin());
  for (std::uint32_t cut = 1; cut < bytes.size(); cut += 3) {
    SCOPED_TRACE(cut);
    const auto rest = static_cast<std::uint32_t>(bytes.size()) - cut;
    const std::vector<driver::Segment> segments{{at, cut, false},
                                                {Gpa{at.value + cut}, rest, false}};
    EXPECT_EQ(must(driver->exchange(segments)), 0U);
    driver->balloon().add(large_pages(2, 3), kLargeShift);
    expect_ballooned_bytes(3 * kLargeBytes);
    EXPECT_EQ(must(driver->withdraw(3, kLargeShift)).size(), 3U);
  }
  // The answer likewise.
  must(driver->add(large_pages(2, 3), kLargeShift));
  const Gpa room{at.value + 1024};
  const std::vector<driver::Segment> answer{{at, 8, false},
                                            {room, 5, true},
                                            {Gpa{room.value + 5}, 11, true},
                                            {Gpa{room.value + 16}, 8, true}};
  EXPECT_EQ(must(driver->exchange(answer)), 24U);
  std::vector<Gpa> back(3);
  std::memcpy(back.data(), ram_.at(room, 24).data(), 24);
  std::ranges::sort(back);
  EXPECT_EQ(back, large_pages(2, 3));
}

TEST_F(LargeHostile, AMessageWhoseBytesAreNoMemoryComesBack) {
  const auto driver = connect();
  const std::vector<driver::Segment> outside{{Gpa{kGiB}, 64, false}};
  EXPECT_EQ(must(driver->exchange(outside)), 0U);
  const auto bytes = pages_message(kLargeShift, {});
  std::ranges::copy(bytes, ram_.at(driver->scratch(), bytes.size()).begin());
  must(driver->add(large_pages(2, 1), kLargeShift));
  const std::vector<driver::Segment> answer{{driver->scratch(), 8, false}, {Gpa{kGiB}, 64, true}};
  EXPECT_EQ(must(driver->exchange(answer)), 0U);
  expect_ballooned_bytes(kLargeBytes);
}

}  // namespace
}  // namespace vballoon::model
