// SPDX-License-Identifier: BSD-3-Clause
//
// Source: vhost-user protocol, "Ancillary data" and "Front-end message types".
#include <gtest/gtest.h>

#include "wire/vhost_user.hpp"

namespace vballoon::wire {
namespace {

TEST(DescriptorsOf, AMemoryTableHasOneForEachRegion) {
  EXPECT_EQ(descriptors_of(Request::kSetMemTable, 0), 0U);
  EXPECT_EQ(descriptors_of(Request::kSetMemTable, 8), 8U);
  EXPECT_EQ(descriptors_of(Request::kSetMemTable, 0xABCD'0000'0003), 3U) << "padding behind it";
}

TEST(DescriptorsOf, ARingHasOneUnlessItIsPolled) {
  for (const Request request :
       {Request::kSetVringKick, Request::kSetVringCall, Request::kSetVringErr}) {
    EXPECT_EQ(descriptors_of(request, 4), 1U);
    EXPECT_EQ(descriptors_of(request, 4 | kNoFd), 0U);
  }
}

TEST(DescriptorsOf, MostMessagesHaveNone) {
  for (const Request request :
       {Request::kGetFeatures, Request::kSetFeatures, Request::kSetVringNum, Request::kSetVringBase,
        Request::kGetVringBase, Request::kSetVringEnable, Request::kGetConfig, Request::kSetConfig,
        Request::kGetInflightFd}) {
    EXPECT_EQ(descriptors_of(request, ~std::uint64_t{0}), 0U);
  }
}

TEST(DescriptorsOf, OneThatHandsOverAFileHasOne) {
  for (const Request request : {Request::kSetLogBase, Request::kSetLogFd, Request::kSetBackendReqFd,
                                Request::kSetInflightFd, Request::kAddMemReg}) {
    EXPECT_EQ(descriptors_of(request, 0), 1U);
  }
}

}  // namespace
}  // namespace vballoon::wire
