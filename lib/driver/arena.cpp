// SPDX-License-Identifier: BSD-3-Clause
#include "driver/arena.hpp"

#include <fmt/format.h>

namespace vballoon::driver {

Result<Gpa> Arena::take(std::uint64_t bytes, std::uint64_t align) {
  const std::uint64_t start = (used_ + align - 1) & ~(align - 1);
  if (start > range_.bytes || bytes > range_.bytes - start) {
    return fail(Code::kInvalidArgument,
                fmt::format("the driver's {} bytes of guest memory are too few for its rings and "
                            "buffers: smaller queues or a shallower pipeline would fit",
                            range_.bytes));
  }
  used_ = start + bytes;
  return Gpa{range_.first.value + start};
}

}  // namespace vballoon::driver
