// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/huge_fixture.hpp - guest memory in a hugetlbfs file, of which no page exists.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/unique_fd.hpp"
#include "reclaim/page_run.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {

class HugeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!fd_.valid()) GTEST_SKIP() << "this kernel has no hugetlbfs";
    huge_ = gmem::inspect_backing(fd_.get()).host_page;
    full_ = bytes_to_pages(huge_);
    ASSERT_GT(full_, 1U);
  }

  [[nodiscard]] std::shared_ptr<const gmem::GuestMemory> map(
      const std::vector<test::RamPiece>& pieces) {
    memory_ = std::make_unique<test::PhantomMap>(fd_.get(), pieces);
    return memory_->map();
  }
  /// So many host pages, at the start of the file.
  [[nodiscard]] std::shared_ptr<const gmem::GuestMemory> map(std::uint64_t host_pages) {
    return map(std::vector<test::RamPiece>{{Gpa{0}, host_pages * huge_, 0}});
  }

  UniqueFd fd_ = test::open_hugetlb();
  std::uint64_t huge_ = 0;  // bytes of a host page
  std::uint64_t full_ = 0;  // guest pages of one

 private:
  std::unique_ptr<test::PhantomMap> memory_;
};

}  // namespace vballoon::reclaim
