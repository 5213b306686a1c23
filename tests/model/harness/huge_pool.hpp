// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/huge_pool.hpp - others on the host who take from its pool of huge pages.
// driver::HugePages raises the pool, and sets it back.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "base/units.hpp"
#include "driver/huge_pages.hpp"

namespace vballoon::model {

inline constexpr unsigned kHugeShift = 21;
inline constexpr std::uint64_t kHuge = std::uint64_t{1} << kHugeShift;

/// Somebody else on the host who takes all that the pool has and may make.
class Others {
 public:
  Others() { EXPECT_EQ(::ftruncate(fd_.get(), off_t{1} << 40), 0); }

  void take_all() {
    while (::fallocate(fd_.get(), 0, end_, kPage) == 0) end_ += kPage;
  }
  /// @pre they have taken so many.
  void give_back(std::uint64_t pages) {
    if (pages == 0) return;
    const auto bytes = static_cast<off_t>(pages) * kPage;
    end_ -= bytes;
    EXPECT_EQ(::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end_, bytes), 0);
  }
  [[nodiscard]] std::uint64_t pages() const { return static_cast<std::uint64_t>(end_ / kPage); }

 private:
  static constexpr auto kPage = static_cast<off_t>(kHuge);

  UniqueFd fd_{::memfd_create("others", MFD_CLOEXEC | MFD_HUGETLB)};
  off_t end_ = 0;
};

}  // namespace vballoon::model
