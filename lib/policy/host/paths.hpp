// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/paths.hpp - where the kernel's figures are; tests name folders of their own.
// Plain values.
#pragma once

#include <string>

namespace vballoon::policy {

struct Paths {
  std::string proc = "/proc";
  std::string sys = "/sys";
};

}  // namespace vballoon::policy
