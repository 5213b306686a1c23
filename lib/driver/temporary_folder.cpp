// SPDX-License-Identifier: BSD-3-Clause
#include "driver/temporary_folder.hpp"

#include <cstdlib>

#include <stdexcept>
#include <string>
#include <system_error>

namespace vballoon::driver {

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "vballoon-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace vballoon::driver
