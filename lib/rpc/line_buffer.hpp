// SPDX-License-Identifier: BSD-3-Clause
//
// rpc/line_buffer.hpp - cut a byte stream into lines of a bounded length.
// One owner.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace vballoon::rpc {

/// The longest request the daemon reads, its newline not counted.
inline constexpr std::size_t kMaxRequestBytes = std::size_t{1} << 20;
/// The longest reply a client reads: a list of a few thousand devices fits.
inline constexpr std::size_t kMaxReplyBytes = std::size_t{16} << 20;

/// Shape: holds at most one unfinished line of `limit` bytes and what the last append brought.
/// An empty buffer holds no memory to speak of, however long its lines once were.
class LineBuffer {
 public:
  explicit LineBuffer(std::size_t limit) noexcept : limit_(limit) {}

  void append(std::string_view bytes) { bytes_.append(bytes); }

  /// @return the next whole line without its "\n" or "\r\n"; nothing when there is none, and
  ///         forever nothing once a line was too long.
  [[nodiscard]] std::optional<std::string> next();

  /// True once a line, finished or not, went beyond the limit. There is no way back into step.
  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }

 private:
  void forget_consumed();

  std::string bytes_;
  std::size_t begin_ = 0;  // of the first line that was not handed out
  std::size_t scan_ = 0;   // no newline before here: a slow drip is not searched again and again
  std::size_t limit_;
  bool overflowed_ = false;
};

}  // namespace vballoon::rpc
