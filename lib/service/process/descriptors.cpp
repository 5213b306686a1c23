// SPDX-License-Identifier: BSD-3-Clause
#include "service/process/descriptors.hpp"

#include <sys/resource.h>

namespace vballoon::service {

void raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace vballoon::service
