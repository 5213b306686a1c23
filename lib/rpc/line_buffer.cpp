// SPDX-License-Identifier: BSD-3-Clause
#include "rpc/line_buffer.hpp"

namespace vballoon::rpc {

std::optional<std::string> LineBuffer::next() {
  if (overflowed_) return std::nullopt;
  const std::size_t newline = bytes_.find('\n', scan_);
  const std::size_t end = newline == std::string::npos ? bytes_.size() : newline;
  if (end - begin_ > limit_) {
    overflowed_ = true;
    bytes_ = {};
    return std::nullopt;
  }
  if (newline == std::string::npos) {
    scan_ = end;
    forget_consumed();
    return std::nullopt;
  }
  std::string line = bytes_.substr(begin_, newline - begin_);
  if (line.ends_with('\r')) line.pop_back();
  begin_ = scan_ = newline + 1;
  return line;
}

void LineBuffer::forget_consumed() {
  if (begin_ == 0) return;
  if (begin_ == bytes_.size()) {
    bytes_ = {};
  } else {
    bytes_.erase(0, begin_);
  }
  scan_ -= begin_;
  begin_ = 0;
}

}  // namespace vballoon::rpc
