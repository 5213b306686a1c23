// SPDX-License-Identifier: BSD-3-Clause
//
// base/unique_fd.hpp - a file descriptor with one owner.
#pragma once

#include <utility>

namespace vballoon {

class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

  /// A second descriptor of the same open file, close-on-exec; invalid where the kernel refuses.
  [[nodiscard]] static UniqueFd duplicate(int fd) noexcept;

 private:
  int fd_ = -1;
};

}  // namespace vballoon
