// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/huge/pool.hpp - what the kernel says of its pool of huge pages of one size.
// Source: Documentation/admin-guide/mm/hugetlbpage.rst of Linux.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"

namespace vballoon::reclaim {

/// In pages of the pool.
struct PoolState {
  std::uint64_t free = 0;      ///< in the pool, promised or not
  std::uint64_t reserved = 0;  ///< promised to mappings that have not touched them yet
  std::uint64_t surplus = 0;   ///< beyond vm.nr_hugepages: a page of these that is freed leaves
};

/// An interface, so that tests can have others empty the pool.
class HugePool {
 public:
  virtual ~HugePool() = default;

  /// @return nothing where the kernel does not say. Makes system calls; never waits.
  [[nodiscard]] virtual std::optional<PoolState> look() noexcept = 0;

  /// Bytes of a file that have no memory behind them. @return UINT64_MAX where that is not known.
  [[nodiscard]] virtual std::uint64_t holes(int fd) noexcept;
};

inline constexpr const char* kPoolsFolder = "/sys/kernel/mm/hugepages";

/// The files of sysfs, opened once.
class SysfsPool final : public HugePool {
 public:
  /// @param folder  of all pools: kPoolsFolder, but for tests.
  SysfsPool(const std::string& folder, std::uint64_t page_bytes);
  [[nodiscard]] std::optional<PoolState> look() noexcept override;

 private:
  UniqueFd free_;
  UniqueFd reserved_;
  UniqueFd surplus_;
};

/// @return this host's pool of pages of this size.
[[nodiscard]] std::unique_ptr<HugePool> host_pool(std::uint64_t page_bytes);

}  // namespace vballoon::reclaim
