// SPDX-License-Identifier: BSD-3-Clause
//
// Source: unix(7), SCM_RIGHTS; section 11 of the design.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "keep/bag.hpp"
#include "keep/packet.hpp"
#include "support/ending.hpp"
#include "support/other_user.hpp"

namespace vballoon::keep {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string record_text(const BagContents& contents) {
  return {reinterpret_cast<const char*>(contents.record.data()), contents.record.size()};
}

ino_t inode_of(int fd) {
  struct stat info {};
  EXPECT_EQ(::fstat(fd, &info), 0);
  return info.st_ino;
}

/// Open files that no other has, each closed with this.
class Files {
 public:
  explicit Files(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      owned_.emplace_back(::memfd_create("file", MFD_CLOEXEC));
    for (const UniqueFd& fd : owned_) numbers_.push_back(fd.get());
  }
  [[nodiscard]] std::span<const int> all() const { return numbers_; }

 private:
  std::vector<UniqueFd> owned_;
  std::vector<int> numbers_;
};

Bag made() {
  auto bag = Bag::make();
  EXPECT_TRUE(bag) << bag.error().message;
  return std::move(*bag);
}

/// As the next process finds it.
Bag found_again(const Bag& bag) {
  auto again = Bag::adopt(UniqueFd::duplicate(bag.in()), UniqueFd::duplicate(bag.out()));
  EXPECT_TRUE(again) << again.error().message;
  return std::move(*again);
}

std::optional<BagContents> contents_of(Bag bag) {
  auto found = bag.look();
  EXPECT_TRUE(found) << found.error().message;
  return found ? std::move(*found) : std::nullopt;
}

void expect_same_files(std::span<const int> put, const BagContents& found) {
  ASSERT_EQ(found.descriptors.size(), put.size());
  for (std::size_t i = 0; i < put.size(); ++i) {
    EXPECT_EQ(inode_of(found.descriptors[i].get()), inode_of(put[i])) << i;
    EXPECT_EQ(::fcntl(found.descriptors[i].get(), F_GETFD), FD_CLOEXEC) << i;
  }
}

TEST(Bag, GivesWhatWasPutInAndKeepsIt) {
  Bag bag = made();
  const Files files(28);
  EXPECT_FALSE(contents_of(found_again(bag)));
  ASSERT_TRUE(bag.put(bytes_of("first"), files.all()));
  for (int times = 0; times < 3; ++times) {
    const auto found = contents_of(found_again(bag));
    ASSERT_TRUE(found);
    EXPECT_EQ(record_text(*found), "first");
    expect_same_files(files.all(), *found);
  }
}

TEST(Bag, HasTheNewestAlone) {
  Bag bag = made();
  const Files files(3);
  for (std::size_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(bag.put(bytes_of(std::to_string(i)), files.all().first(i % 4)));
  }
  Bag next = found_again(bag);
  ASSERT_EQ(record_text(*contents_of(found_again(bag))), "99");
  ASSERT_TRUE(next.look());
  ASSERT_TRUE(next.put(bytes_of("of the next process"), {}));
  const auto found = contents_of(found_again(bag));
  EXPECT_EQ(record_text(*found), "of the next process");
  EXPECT_EQ(found->sequence, 101U);
  next.empty();
  EXPECT_FALSE(contents_of(found_again(bag)));
}

TEST(Bag, LetsGoOfWhatIsReplaced) {
  Bag bag = made();
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  ASSERT_TRUE(bag.put(bytes_of("a"), std::array{writer.get()}));
  writer.reset();
  char byte = 0;
  EXPECT_EQ(::read(reader.get(), &byte, 1), -1) << "the bag keeps it open";
  ASSERT_TRUE(bag.put(bytes_of("b"), {}));
  EXPECT_EQ(::read(reader.get(), &byte, 1), 0) << "nobody has it any more";
}

TEST(Bag, AfterAnEndAtAnyStepHasTheOneOrTheOther) {
  int step = 1;
  for (;; ++step) {
    Bag bag = made();
    ASSERT_TRUE(bag.put(bytes_of("old"), {}));
    const Files files(2);
    if (!support::ends_at(step, [&] { (void)bag.put(bytes_of("new"), files.all()); })) break;
    const auto found = contents_of(found_again(bag));
    ASSERT_TRUE(found);
    EXPECT_EQ(record_text(*found), "new") << "sent before step " << step;
    expect_same_files(files.all(), *found);
    EXPECT_EQ(contents_of(found_again(bag))->sequence, 2U) << "the old one is gone";
  }
  EXPECT_EQ(step, 3) << "steps of a put()";
}

TEST(Bag, TakesAsManyDescriptorsAsTheKernelLetsADatagramHave) {
  Bag bag = made();
  const Files files(kMaxDescriptors);
  const std::vector<std::byte> record(Bag::kMaxRecordBytes, std::byte{7});
  ASSERT_TRUE(bag.put(record, files.all()));
  ASSERT_TRUE(bag.put(record, files.all())) << "both lie in it for a moment";
  const auto found = contents_of(found_again(bag));
  EXPECT_EQ(found->record, record);
  expect_same_files(files.all(), *found);
}

TEST(Bag, CanLieInABag) {
  Bag outer = made();
  {
    Bag inner = made();
    const Files files(2);
    ASSERT_TRUE(inner.put(bytes_of("inside"), files.all()));
    ASSERT_TRUE(outer.put(bytes_of("outside"), std::array{inner.in(), inner.out()}));
  }
  auto found = contents_of(found_again(outer));
  ASSERT_EQ(found->descriptors.size(), 2U);
  auto inner = Bag::adopt(std::move(found->descriptors[0]), std::move(found->descriptors[1]));
  ASSERT_TRUE(inner);
  EXPECT_EQ(record_text(*contents_of(std::move(*inner))), "inside");
}

rlimit set_limit(rlim_t soft) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit now{soft, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &now);
  return before;
}

TEST(Bag, RefusesARecordOfWhichDescriptorsAreMissing) {
  Bag bag = made();
  const Files files(20);
  ASSERT_TRUE(bag.put(bytes_of("all of it"), files.all()));
  Bag next = found_again(bag);
  const rlimit before = set_limit(static_cast<rlim_t>(next.out()) + 10);
  const auto refused = next.look();
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kHost);
  EXPECT_NE(refused.error().message.find("20 descriptors"), std::string::npos);
  EXPECT_NE(refused.error().message.find("LimitNOFILE="), std::string::npos);
  const auto found = next.look();
  ASSERT_TRUE(found && *found) << "with more room";
  expect_same_files(files.all(), **found);
}

/// In a process of a user without rights. 0, or the line that went wrong.
int fill_until_refused() {
  const rlimit limit{64, 64};
  ::setrlimit(RLIMIT_NOFILE, &limit);
  Bag bag = made();
  const Files files(20);
  if (!bag.put(bytes_of("kept"), files.all())) return __LINE__ % 100;
  std::vector<Bag> more;
  for (;;) {
    more.push_back(made());
    if (!more.back().put(bytes_of("more"), files.all())) break;
    if (more.size() > 10) return __LINE__ % 100;
  }
  const auto refused = bag.put(bytes_of("too many"), files.all());
  if (refused) return __LINE__ % 100;
  if (refused.error().message.find("limit of 64 open files") == std::string::npos) return 98;
  const auto found = bag.look();
  return found && *found && record_text(**found) == "kept" ? 0 : 99;
}

TEST(Bag, NamesTheLimitOfDescriptorsInSocketsAndStaysAsItWas) {
  if (!support::is_root()) GTEST_SKIP() << "needs to become a user that is not limited already";
  EXPECT_EQ(support::as({}, fill_until_refused), 0);
}

TEST(Bag, UsesNothingThatNoBagPutIn) {
  Bag bag = made();
  ASSERT_EQ(::send(bag.in(), "x", 1, 0), 1);
  EXPECT_EQ(found_again(bag).look().error().code, Code::kInvalidArgument);
  bag.empty();
  const std::string letter(100, 'x');
  ASSERT_EQ(::send(bag.in(), letter.data(), letter.size(), 0), 100);
  EXPECT_EQ(found_again(bag).look().error().code, Code::kInvalidArgument);
  bag.empty();
  EXPECT_FALSE(contents_of(found_again(bag)));
}

TEST(Bag, UsesNoRecordBehindANewerOne) {
  Bag bag = made();
  Bag other = found_again(bag);
  ASSERT_TRUE(bag.put(bytes_of("one"), {}));
  ASSERT_TRUE(other.put(bytes_of("also one"), {}));
  const auto refused = found_again(bag).look();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "record 1 lies in a bag behind record 1; neither is used");
}

TEST(Bag, IsMadeOfTheEndsOfABagAlone) {
  std::array<int, 2> stream{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream.data()), 0);
  EXPECT_FALSE(Bag::adopt(UniqueFd(stream[0]), UniqueFd(stream[1])));
  const Bag bag = made();
  EXPECT_FALSE(Bag::adopt(UniqueFd::duplicate(bag.in()), UniqueFd(::memfd_create("m", 0))));
}

}  // namespace
}  // namespace vballoon::keep
