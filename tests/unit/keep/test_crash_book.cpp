// SPDX-License-Identifier: BSD-3-Clause
//
// What is written into the book is found by the next process; nothing that lies there does harm.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "keep/crash_book.hpp"

namespace vballoon::keep {
namespace {

constexpr std::uint64_t kNow = 100 * CrashPage::kWindowMs;

CrashBook new_crash_book() {
  auto book = CrashBook::make();
  EXPECT_TRUE(book) << book.error().message;
  return *std::move(book);
}

CrashBook next_of(const CrashBook& book) {
  auto next = CrashBook::adopt(UniqueFd::duplicate(book.fd()));
  EXPECT_TRUE(next) << next.error().message;
  return *std::move(next);
}

/// A file as long as a book, of these bytes, as sealed as one.
UniqueFd file_of(std::byte value, bool sealed) {
  const CrashBook book = new_crash_book();
  const off_t bytes = ::lseek(book.fd(), 0, SEEK_END);
  UniqueFd fd(::memfd_create("no book", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const std::vector<std::byte> all(static_cast<std::size_t>(bytes), value);
  EXPECT_EQ(::write(fd.get(), all.data(), all.size()), bytes);
  if (sealed) {
    EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW), 0);
  }
  return fd;
}

TEST(CrashBook, IsTheSameForTheNextProcess) {
  CrashBook book = new_crash_book();
  book.page_of("vm0")->note(kNow);
  book.page_of("vm1")->set_verdict(1);
  CrashBook next = next_of(book);
  EXPECT_EQ(next.page_of("vm0")->crashes(kNow), 1U);
  EXPECT_EQ(next.page_of("vm0")->verdict(), 0U);
  EXPECT_EQ(next.page_of("vm1")->crashes(kNow), 0U);
  EXPECT_EQ(next.page_of("vm1")->verdict(), 1U);
}

TEST(CrashBook, NewsIsToldOnce) {
  CrashBook book = new_crash_book();
  CrashPage& page = *book.page_of("vm0");
  EXPECT_FALSE(page.take_news());
  page.note(kNow);
  EXPECT_TRUE(page.take_news());
  EXPECT_FALSE(page.take_news());
}

TEST(CrashBook, OnlyCrashesCloseToTheNewestCount) {
  CrashBook book = new_crash_book();
  CrashPage& page = *book.page_of("vm0");
  page.note(kNow - CrashPage::kWindowMs - 1);
  page.note(kNow - CrashPage::kWindowMs);
  page.note(kNow - 1);
  page.note(kNow);
  EXPECT_EQ(page.crashes(kNow), 3U);
  // However long the host went without a daemon.
  EXPECT_EQ(page.crashes(kNow + 10 * CrashPage::kWindowMs), 3U);
  page.forget_crashes();
  EXPECT_EQ(page.crashes(kNow), 0U);
}

TEST(CrashBook, TheOldestCrashIsForgottenFirst) {
  CrashBook book = new_crash_book();
  CrashPage& page = *book.page_of("vm0");
  for (std::uint64_t i = 0; i < 3 * CrashPage::kCrashes; ++i) page.note(kNow + i);
  EXPECT_EQ(page.crashes(kNow + 100), CrashPage::kCrashes);
  EXPECT_EQ(page.crashes(kNow + 2 * CrashPage::kCrashes), 1U) << "the others are yet to come";
}

TEST(CrashBook, ATimeThatIsYetToComeIsNone) {
  CrashBook book = new_crash_book();
  CrashPage& page = *book.page_of("vm0");
  for (std::size_t i = 0; i + 1 < CrashPage::kCrashes; ++i) page.note(~std::uint64_t{0} - i);
  page.note(kNow);
  EXPECT_EQ(page.crashes(kNow), 1U);
}

TEST(CrashBook, PagesOfVmsThatAreGoneAreEmptied) {
  CrashBook book = new_crash_book();
  book.page_of("vm0")->note(kNow);
  book.page_of("vm1")->note(kNow);
  book.keep_only([](std::string_view name) { return name == "vm1"; });
  EXPECT_EQ(book.page_of("vm0")->crashes(kNow), 0U);
  EXPECT_EQ(book.page_of("vm1")->crashes(kNow), 1U);
}

TEST(CrashBook, MoreVmsThanPagesHaveNone) {
  CrashBook book = new_crash_book();
  for (std::size_t i = 0; i < CrashBook::kPages; ++i) {
    ASSERT_NE(book.page_of("vm" + std::to_string(i)), nullptr);
  }
  EXPECT_EQ(book.page_of("one more"), nullptr);
  EXPECT_EQ(book.page_of(""), nullptr);
  EXPECT_NE(book.page_of("vm7"), nullptr);
  book.page_of("vm7")->begin({});
  EXPECT_NE(book.page_of("one more"), nullptr);
  EXPECT_EQ(book.page_of(std::string(CrashPage::kLongestName + 1, 'x')), nullptr);
}

TEST(CrashBook, AFileOfAnotherKindIsRefused) {
  for (const std::byte value : {std::byte{0}, std::byte{0xFF}}) {
    const auto book = CrashBook::adopt(file_of(value, true));
    ASSERT_FALSE(book);
    EXPECT_EQ(book.error().code, Code::kInvalidArgument);
  }
  EXPECT_FALSE(CrashBook::adopt(UniqueFd(::open("/dev/null", O_RDWR))));
  EXPECT_FALSE(CrashBook::adopt(UniqueFd(::memfd_create("empty", 0))));
}

/// It could be made shorter later, and a store there would crash whoever crashes.
TEST(CrashBook, AFileWhoseLengthMayChangeIsRefused) {
  const CrashBook book = new_crash_book();
  UniqueFd copy = file_of(std::byte{0}, false);
  std::array<std::byte, 128> head;
  ASSERT_EQ(::pread(book.fd(), head.data(), head.size(), 0), 128);
  ASSERT_EQ(::pwrite(copy.get(), head.data(), head.size(), 0), 128);
  EXPECT_FALSE(CrashBook::adopt(UniqueFd::duplicate(copy.get())));
  ASSERT_EQ(::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW), 0);
  EXPECT_TRUE(CrashBook::adopt(std::move(copy))) << "nothing else is wrong with it";
}

TEST(CrashBook, PagesMayHoldAnything) {
  CrashBook book = new_crash_book();
  const std::vector<std::byte> noise(16 * sizeof(CrashPage), std::byte{0xFF});
  ASSERT_EQ(::pwrite(book.fd(), noise.data(), noise.size(), sizeof(CrashPage)),
            static_cast<ssize_t>(noise.size()));
  CrashBook next = next_of(book);
  CrashPage& page = *next.page_of("vm0");
  EXPECT_EQ(page.crashes(kNow), 0U);
  // The pages that are noise have names that are nobody's.
  next.keep_only([](std::string_view name) { return name == "vm0"; });
  for (std::size_t i = 1; i < CrashBook::kPages; ++i) {
    ASSERT_NE(next.page_of("other" + std::to_string(i)), nullptr);
  }
  // One with a name that is somebody's, and numbers that cannot be.
  std::vector<std::byte> page_bytes(sizeof(CrashPage), std::byte{0xFF});
  std::memcpy(page_bytes.data(), "vm9", 4);
  ASSERT_EQ(::pwrite(book.fd(), page_bytes.data(), page_bytes.size(), sizeof(CrashPage)),
            static_cast<ssize_t>(page_bytes.size()));
  CrashBook other = next_of(book);
  CrashPage& vm9 = *other.page_of("vm9");
  EXPECT_EQ(vm9.crashes(kNow), 0U);
  vm9.note(kNow);
  EXPECT_EQ(vm9.crashes(kNow), 1U);
}

}  // namespace
}  // namespace vballoon::keep
