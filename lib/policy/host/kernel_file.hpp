// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/kernel_file.hpp - a file of /proc, /sys or a cgroup, opened once and read often.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace vballoon::policy {

class KernelFile {
 public:
  /// read() ends here. No file of interest comes near this length.
  static constexpr std::size_t kLongest = 4 * 1024 * 1024;

  KernelFile() noexcept = default;
  /// Where the file cannot be opened, valid() is false and read() sets errno to the reason.
  explicit KernelFile(const std::string& path) noexcept;

  [[nodiscard]] bool valid() const noexcept { return fd_.valid(); }

  /// Reads the whole file anew into `buffer`, which keeps its room from call to call.
  /// @return nothing when the file is not valid or the kernel refuses; errno has the reason.
  [[nodiscard]] std::optional<std::string_view> read(std::string& buffer) const;
  /// Reads a file that holds a single number. "max" reads as the largest number.
  /// @return nothing when the kernel refuses; also when the file holds something else, and errno is
  ///         EINVAL then.
  [[nodiscard]] std::optional<std::uint64_t> number() const noexcept;

 private:
  UniqueFd fd_;
  int refused_ = 0;  // the errno of open(); 0 where open() succeeded or was not called
};

}  // namespace vballoon::policy
