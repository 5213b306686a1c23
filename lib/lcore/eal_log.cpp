// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/eal_log.hpp"

#include <rte_log.h>
#include <sys/types.h>

#include <string>

namespace vballoon::lcore {
namespace {

log::level::level_enum current_level() {
  const int level = rte_log_cur_msg_loglevel();
  if (level <= 0) return log::level::info;
  if (level <= static_cast<int>(RTE_LOG_ERR)) return log::level::err;
  if (level <= static_cast<int>(RTE_LOG_WARNING)) return log::level::warn;
  if (level <= static_cast<int>(RTE_LOG_INFO)) return log::level::info;
  return log::level::debug;
}

ssize_t cookie_write(void* cookie, const char* data, size_t size) {
  static_cast<EalLines*>(cookie)->write({data, size}, current_level());
  return static_cast<ssize_t>(size);
}

}  // namespace

void EalLines::write(std::string_view bytes, log::level::level_enum level) {
  const std::scoped_lock lock(mutex_);
  partial_ += bytes;
  std::size_t begin = 0;
  for (std::size_t end; (end = partial_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    line(std::string_view(partial_).substr(begin, end - begin), level);
  }
  partial_.erase(0, begin);
}

std::string EalLines::last_error() const {
  const std::scoped_lock lock(mutex_);
  return last_error_;
}

void EalLines::line(std::string_view text, log::level::level_enum level) {
  if (text.empty()) return;
  const std::string readable = readable_(text);
  if (level >= log::level::err) last_error_ = readable;
  std::uint64_t dropped = 0;
  if (!gate_.open(&dropped)) return;
  if (dropped > 0) log::warn("dpdk: {} lines left out", dropped);
  log::log(level, "dpdk: {}", readable);
}

std::FILE* open_eal_stream(EalLines* lines) {
  cookie_io_functions_t functions{};
  functions.write = cookie_write;
  return ::fopencookie(lines, "w", functions);
}

}  // namespace vballoon::lcore
