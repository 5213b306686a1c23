// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/migration_log.hpp - a VMM's log of pages that were written to, a bit a page.
// Source: vhost-user protocol, "Migration", VHOST_USER_SET_LOG_BASE.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <stdexcept>

#include "fixture.hpp"

namespace vballoon::model {

/// In a file of ours.
class Log {
 public:
  static constexpr std::uint64_t kBytes = kPageSize;  // 128 MiB of guest

  explicit Log(std::uint64_t offset = 0)
      : offset_(offset), fd_(::memfd_create("log", MFD_CLOEXEC)) {
    if (::ftruncate(fd_.get(), static_cast<off_t>(offset + kBytes)) != 0)
      throw std::runtime_error("log");
    bits_ = static_cast<unsigned char*>(
        ::mmap(nullptr, offset + kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0));
  }
  ~Log() { ::munmap(bits_, offset_ + kBytes); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// Marked pages, cleared as a VMM clears them.
  std::set<std::uint64_t> take() {
    std::set<std::uint64_t> pages;
    for (std::uint64_t i = 0; i < kBytes; ++i) {
      const unsigned byte = __atomic_exchange_n(&bits_[offset_ + i], 0, __ATOMIC_SEQ_CST);
      for (unsigned bit = 0; bit < 8; ++bit) {
        if ((byte >> bit & 1U) != 0) pages.insert(i * 8 + bit);
      }
    }
    return pages;
  }
  [[nodiscard]] bool clean_before() const {
    return std::all_of(bits_, bits_ + offset_, [](unsigned char byte) { return byte == 0; });
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }

 private:
  std::uint64_t offset_;
  UniqueFd fd_;
  unsigned char* bits_ = nullptr;
};

/// As QEMU does: the same features again, with LOG_ALL or without.
inline void log_all(BalloonDriver& driver, bool on) {
  const auto features = driver.acked().bits();
  const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(wire::Feature::kLogAll);
  must(driver.front_end().set_features(on ? features | bit : features));
}

}  // namespace vballoon::model
