// SPDX-License-Identifier: BSD-3-Clause
//
// host/paths.hpp - where the kernel shows its figures; tests show their own.
// Layer:  host. Plain values.
#pragma once

#include <string>

namespace vballoon::host {

struct Paths {
  std::string proc = "/proc";
  std::string sys = "/sys";
};

}  // namespace vballoon::host
