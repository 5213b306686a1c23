// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/support/huge_pages.hpp - real huge pages for the length of a test.
// Layer:  tests; may include base/.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "base/unique_fd.hpp"

namespace vballoon::test {

/// Enlarges the host's pool of huge pages of the default size and makes it as large as before at
/// the end. Whoever has one has the pool to himself among these tests, in whichever process.
class HugePages {
 public:
  /// @return nothing where that takes more rights or memory than there are: skip the test, with
  /// kNoHugePages.
  [[nodiscard]] static std::optional<HugePages> get(std::uint64_t pages);
  ~HugePages();
  HugePages(HugePages&& other) noexcept;
  HugePages& operator=(HugePages&&) = delete;

 private:
  HugePages(UniqueFd file, std::uint64_t added) noexcept;

  UniqueFd file_;  // nr_hugepages, locked
  std::uint64_t added_;
};

inline constexpr const char* kNoHugePages =
    "no huge pages: as root, with memory to spare, this test gets them by itself";

}  // namespace vballoon::test
