// SPDX-License-Identifier: BSD-3-Clause
//
// driver/temporary_folder.hpp - a folder that lasts as long as its owner.
#pragma once

#include <filesystem>

namespace vballoon::driver {

/// Its name is short: the path of a socket has 107 bytes.
class TemporaryFolder {
 public:
  /// @errors throws where the folder for temporary files takes none.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace vballoon::driver
