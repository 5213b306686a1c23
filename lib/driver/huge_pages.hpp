// SPDX-License-Identifier: BSD-3-Clause
//
// driver/huge_pages.hpp - real huge pages on the host for the length of a test or a bench.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace vballoon::driver {

/// Enlarges the host's pool of huge pages of the default size, and makes it smaller by as much at
/// the end. One at a time exists on a host: others wait, in whichever process.
class HugePages {
 public:
  /// @errors kHost where that takes more rights or memory than there are; the pool is as before.
  [[nodiscard]] static Result<HugePages> get(std::uint64_t pages);
  ~HugePages();
  HugePages(HugePages&& other) noexcept;
  HugePages& operator=(HugePages&&) = delete;

 private:
  HugePages(UniqueFd file, std::uint64_t added) noexcept;

  UniqueFd file_;  // nr_hugepages, locked
  std::uint64_t added_;
};

}  // namespace vballoon::driver
