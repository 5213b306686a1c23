// SPDX-License-Identifier: BSD-3-Clause
#include "vm/notices.hpp"

#include <fmt/format.h>

namespace vballoon::vm {

void Notices::warn(const std::string& what) {
  std::uint64_t dropped = 0;
  if (!warnings_.open(&dropped)) return;
  log::warn("{}: {}", name_, what);
  if (dropped != 0) log::warn("{}: {} more warnings were not shown", name_, dropped);
}

void Notices::note(const std::string& what) {
  std::uint64_t dropped = 0;
  if (!notes_.open(&dropped)) return;
  log::info("{}: {}", name_, what);
  if (dropped != 0) log::info("{}: {} more notes were not shown", name_, dropped);
}

void Notices::refused(const Status& why) {
  warn(fmt::format("the VMM sent {}; that is refused", why.message));
}

}  // namespace vballoon::vm
