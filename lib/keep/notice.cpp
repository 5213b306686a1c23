// SPDX-License-Identifier: BSD-3-Clause
#include "keep/notice.hpp"

#include <algorithm>

namespace vballoon::keep {
namespace {

constexpr std::string_view kFdName = "FDNAME=";

void read_line(std::string_view line, Notice* notice) {
  notice->ready |= line == "READY=1";
  notice->store |= line == "FDSTORE=1";
  notice->remove |= line == "FDSTOREREMOVE=1";
  notice->restart |= line == kRestartLine;
  notice->polled &= line != "FDPOLL=0";
  if (line.starts_with(kFdName)) notice->name = line.substr(kFdName.size());
  if (line == "READY=1" || line == "WATCHDOG=1" || line.starts_with("STATUS=")) {
    notice->state.append(line).append("\n");
  }
}

}  // namespace

Notice read_notice(std::string_view text) {
  Notice notice;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    read_line(line, &notice);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return notice;
}

}  // namespace vballoon::keep
