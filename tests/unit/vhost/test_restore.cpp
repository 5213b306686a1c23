// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>

#include "keep/notifier.hpp"
#include "vhost/restore.hpp"

namespace vballoon::vhost {
namespace {

/// A connection in a bag, which one daemon after the other takes up and does not come to serve.
class RestoreTest : public ::testing::Test {
 protected:
  RestoreTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_.reset(ends[0]);
    vmm_.reset(ends[1]);
    record_.device = "vm0";
    record_.connected = true;
    put(record_);
  }
  void put(const Record& record) {
    const UniqueFd answers(::memfd_create("answers", MFD_CLOEXEC));
    const std::array<int, 2> fds{ours_.get(), answers.get()};
    const auto done = bag_.put(encode(record), fds);
    ASSERT_TRUE(done) << done.error().message;
  }
  Restore next_daemon() {
    auto contents = bag_.look();
    EXPECT_TRUE(contents && *contents);
    auto record = decode((*contents)->record, (*contents)->descriptors.size());
    EXPECT_TRUE(record) << record.error().message;
    return {{nullptr, *std::move(record), std::move((*contents)->descriptors)}, std::nullopt};
  }

  keep::Bag bag_ = keep::Bag::make().value();
  UniqueFd ours_;
  UniqueFd vmm_;
  Record record_;
};

TEST_F(RestoreTest, IsNotBegunForEver) {
  unsigned begun = 0;
  for (; begun < 1000; ++begun) {
    Restore restore = next_daemon();
    if (!restore.why_not({}).empty()) break;
    ASSERT_TRUE(restore.count(bag_, std::nullopt));
  }
  EXPECT_EQ(begun, 30U);
  EXPECT_NE(next_daemon().why_not({}).find("30 daemons in a row"), std::string::npos);
  // The record of a connection that is served counts from the start.
  put(record_);
  EXPECT_EQ(next_daemon().why_not({}), "");
}

TEST_F(RestoreTest, IsNotBegunForAVmmThatIsGone) {
  vmm_.reset();
  EXPECT_EQ(next_daemon().why_not({}), "the VMM disconnected meanwhile");
}

}  // namespace
}  // namespace vballoon::vhost
