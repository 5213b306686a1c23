// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_stats_pause.cpp - a question asked before a pause is answered after it.
// Source: VIRTIO 1.2, 5.5.6.3. A ring is stopped and started whenever the VMM changes its memory or
//         its call file.
#include <gtest/gtest.h>

#include "support/device_fixture.hpp"

namespace vballoon::datapath {
namespace {

using wire::StatTag;

void send_free(DeviceFixture& f, std::uint64_t bytes) {
  const Gpa at = DeviceFixture::buffers(Role::kStats);
  f.ram().put(at, std::uint16_t{4});
  f.ram().put(Gpa{at.value + 2}, bytes);
  f.ring(Role::kStats).send(0, {{at, 10}});
  f.poll_until_idle();
}

TEST(StatsPause, AnAnswerThatComesAfterThePauseIsASample) {
  DeviceFixture f;
  f.start(Role::kStats);
  send_free(f, 1);
  f.path().request_stats();
  f.poll_until_idle();
  ASSERT_EQ(f.ring(Role::kStats).collect().size(), 1U) << "asked";
  f.start(Role::kStats, f.path().stop(Role::kStats), true);
  send_free(f, 2);
  EXPECT_EQ(f.path().stats().sequence(), 2U) << "the driver's answer is new";
  EXPECT_EQ(f.path().stats().newest().sample.get(StatTag::kFree), 2U);
}

TEST(StatsPause, AQuestionThatWasNotYetAskedIsAskedAfterThePause) {
  DeviceFixture f;
  f.start(Role::kStats);
  send_free(f, 1);
  f.path().request_stats();
  const std::uint16_t position = f.path().stop(Role::kStats);
  f.ring(Role::kStats).collect();
  f.start(Role::kStats, position, true);
  f.poll_until_idle();
  EXPECT_EQ(f.ring(Role::kStats).collect().size(), 1U) << "the held buffer goes back as a question";
}

}  // namespace
}  // namespace vballoon::datapath
