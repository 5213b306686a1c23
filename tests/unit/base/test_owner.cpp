// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/base/test_owner.cpp - which thread may use what one thread has at a time.
#include <gtest/gtest.h>

#include <thread>

#include "base/owner.hpp"

namespace vballoon {
namespace {

/// As another thread sees it.
bool another_may_use(const Owner& owner) {
  bool may = false;
  std::thread([&] { may = owner.may_use(); }).join();
  return may;
}

TEST(Owner, WhatNoThreadHasAnyMayUse) {
  const Owner owner;
  EXPECT_TRUE(owner.may_use());
  EXPECT_TRUE(another_may_use(owner));
  EXPECT_TRUE(another_may_use(kUnowned));
}

TEST(Owner, WhatAThreadTookIsItsAlone) {
  Owner owner;
  owner.take();
  EXPECT_TRUE(owner.may_use());
  EXPECT_FALSE(another_may_use(owner));
}

TEST(Owner, TheLastThreadThatTookItHasIt) {
  Owner owner;
  owner.take();
  std::thread([&] {
    owner.take();
    EXPECT_TRUE(owner.may_use());
  }).join();
  EXPECT_FALSE(owner.may_use());
  owner.take();
  EXPECT_TRUE(owner.may_use());
  EXPECT_FALSE(another_may_use(owner));
}

TEST(Owner, WhatWasReleasedAnyMayUse) {
  Owner owner;
  owner.take();
  owner.release();
  EXPECT_TRUE(another_may_use(owner));
}

}  // namespace
}  // namespace vballoon
