// SPDX-License-Identifier: BSD-3-Clause
//
// base/check.hpp - our own bugs: stop at once, with the reason.
// Never for anything that a guest, a VMM or an operator can cause.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace vballoon {

[[noreturn]] inline void check_failed(const char* what, const char* file, int line) noexcept {
  std::fprintf(stderr, "vballoon: broken invariant: %s (%s:%d)\n", what, file, line);
  std::abort();
}

}  // namespace vballoon

/// For a place that is never reached. Unlike VB_CHECK(false), the call tells g++ so at -O0 as well.
#define VB_UNREACHABLE() ::vballoon::check_failed("not reached", __FILE__, __LINE__)

#define VB_CHECK(condition)                                     \
  do {                                                          \
    if (!(condition)) [[unlikely]] {                            \
      ::vballoon::check_failed(#condition, __FILE__, __LINE__); \
    }                                                           \
  } while (false)
