// SPDX-License-Identifier: BSD-3-Clause
//
// Signs of life, as the next process sees them.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_manager.hpp"
#include "keep/boot_clock.hpp"
#include "keep/life_sign.hpp"
#include "next_process.hpp"

namespace vballoon::keep {
namespace {

class LifeSignTest : public testing::Test {
 protected:
  Result<LifeSign> begin() {
    Inherited none;
    return LifeSign::begin(none, store_, "1.2.3");
  }
  /// The page, as the manager got it.
  UniqueFd kept() {
    Packet packet;
    EXPECT_EQ(manager_.received(&packet), "FDSTORE=1\nFDPOLL=0\nFDNAME=life");
    return packet.descriptors.empty() ? UniqueFd() : std::move(packet.descriptors[0]);
  }

  FakeManager manager_{"notify"};
  Notifier notifier_;
  const Store store_{notifier_};
};

TEST_F(LifeSignTest, IsKnownToTheNextProcess) {
  auto sign = begin();
  ASSERT_TRUE(sign) << sign.error().message;
  EXPECT_FALSE(sign->earlier());
  const UniqueFd page = kept();
  ASSERT_TRUE(page.valid());
  const std::uint64_t before = boot_ms();
  sign->beat();
  EXPECT_TRUE(in_the_next_process(page.get(), "life", [&](Inherited& all) {
    const auto next = LifeSign::begin(all, store_, "1.2.4");
    return next && next->earlier() && next->earlier()->version == "1.2.3" &&
           next->earlier()->at_ms >= before && next->earlier()->at_ms <= boot_ms();
  }));
}

/// One that ends before it serves leaves what was there.
TEST_F(LifeSignTest, OfAProcessThatNeverBeatIsTheOneBefores) {
  auto sign = begin();
  ASSERT_TRUE(sign);
  const UniqueFd page = kept();
  sign->beat();
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(in_the_next_process(page.get(), "life", [&](Inherited& all) {
      const auto next = LifeSign::begin(all, store_, "9");
      return next && next->earlier() && next->earlier()->version == "1.2.3";
    })) << round;
  }
  EXPECT_TRUE(in_the_next_process(page.get(), "life", [&](Inherited& all) {
    auto next = LifeSign::begin(all, store_, "9");
    if (next) next->beat();
    return next.has_value();
  }));
  EXPECT_TRUE(in_the_next_process(page.get(), "life", [&](Inherited& all) {
    const auto next = LifeSign::begin(all, store_, "10");
    return next && next->earlier() && next->earlier()->version == "9";
  }));
}

TEST_F(LifeSignTest, ThatWasNeverGivenIsNone) {
  ASSERT_TRUE(begin());
  const UniqueFd page = kept();
  EXPECT_TRUE(in_the_next_process(page.get(), "life", [&](Inherited& all) {
    const auto next = LifeSign::begin(all, store_, "1");
    return next && !next->earlier();
  }));
}

TEST_F(LifeSignTest, IsReadInNothingElse) {
  const UniqueFd empty(::memfd_create("m", MFD_CLOEXEC));
  const UniqueFd zeroes(::memfd_create("m", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(zeroes.get(), 4096), 0);
  const UniqueFd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const UniqueFd* const other : {&empty, &zeroes, &folder}) {
    EXPECT_TRUE(in_the_next_process(other->get(), "life", [&](Inherited& all) {
      auto next = LifeSign::begin(all, store_, "1");
      if (next) next->beat();
      return next && !next->earlier();
    }));
  }
}

}  // namespace
}  // namespace vballoon::keep
