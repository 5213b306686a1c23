// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/kernel_file.hpp - a file of /proc, /sys or a cgroup that is opened once and read
//                               often.
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
  /// What is longer is not read: no file of interest comes near it.
  static constexpr std::size_t kLongest = 4 * 1024 * 1024;

  KernelFile() noexcept = default;
  /// Not valid() where it cannot be opened; read() then says why.
  explicit KernelFile(const std::string& path) noexcept;

  [[nodiscard]] bool valid() const noexcept { return fd_.valid(); }

  /// All of it as it is now, in `buffer`, which keeps its room from call to call.
  /// @return nothing when it is not valid or the kernel refuses; errno says why.
  [[nodiscard]] std::optional<std::string_view> read(std::string& buffer) const;
  /// A file that holds a single number. "max" is the largest there is.
  /// @return nothing also when it holds something else; errno then is EINVAL.
  [[nodiscard]] std::optional<std::uint64_t> number() const noexcept;

 private:
  UniqueFd fd_;
  int refused_ = 0;  // why it is not valid; 0 when nobody tried
};

}  // namespace vballoon::policy
