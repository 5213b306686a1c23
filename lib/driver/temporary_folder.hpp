// SPDX-License-Identifier: BSD-3-Clause
//
// driver/temporary_folder.hpp - a folder that lasts as long as its owner.
// Header only: unit tests and fuzz targets of lower layers use it without linking this layer.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace vballoon::driver {

class TemporaryFolder {
 public:
  /// The folder's name is short, for the path of a socket has 107 bytes at most.
  /// @errors throws where the folder for temporary files takes none.
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "vbXXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder " + name);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::string path(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace vballoon::driver
