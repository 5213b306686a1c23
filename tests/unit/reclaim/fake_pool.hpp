// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/fake_pool.hpp - pools of huge pages, with a test as kernel, guests and others.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <memory>

#include "reclaim/huge/reserve.hpp"

namespace vballoon::reclaim {

/// Holes are known by the file, whatever the descriptor; all of the files begin without any.
class FakeHost {
 public:
  [[nodiscard]] HugeReserve::OpenPool pools() {
    return [this](std::uint64_t page_bytes) {
      opened.push_back(page_bytes);
      return std::make_unique<Pool>(*this, page_bytes);
    };
  }

  /// The kernel frees pages of a file.
  void freed(int fd, std::uint64_t page_bytes, std::uint64_t pages) {
    PoolState& pool = state[page_bytes];
    const std::uint64_t leave = std::min(pages, pool.surplus);
    pool.surplus -= leave;
    pool.free += pages - leave;
    holes[inode(fd)] += pages * page_bytes;
  }
  /// A guest touches pages that were freed.
  void filled(int fd, std::uint64_t page_bytes, std::uint64_t pages) {
    state[page_bytes].free -= pages;
    holes[inode(fd)] -= pages * page_bytes;
  }

  [[nodiscard]] static ino_t inode(int fd) {
    struct stat file {};
    EXPECT_EQ(::fstat(fd, &file), 0);
    return file.st_ino;
  }

  std::map<std::uint64_t, PoolState> state;  // by page size
  std::map<ino_t, std::uint64_t> holes;      // bytes
  std::vector<std::uint64_t> opened;
  bool readable = true;
  unsigned looks = 0;

 private:
  class Pool final : public HugePool {
   public:
    Pool(FakeHost& host, std::uint64_t page_bytes) noexcept
        : host_(host), page_bytes_(page_bytes) {}
    [[nodiscard]] std::optional<PoolState> look() noexcept override {
      ++host_.looks;
      return host_.readable ? std::optional(host_.state[page_bytes_]) : std::nullopt;
    }
    [[nodiscard]] std::uint64_t holes(int fd) noexcept override { return host_.holes[inode(fd)]; }

   private:
    FakeHost& host_;
    const std::uint64_t page_bytes_;
  };
};

}  // namespace vballoon::reclaim
