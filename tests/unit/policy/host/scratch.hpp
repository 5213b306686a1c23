// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/policy/host/scratch.hpp - a folder that stands for /proc, /sys or a cgroup.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "driver/temporary_folder.hpp"
#include "policy/host/memory.hpp"

namespace vballoon::policy {

class Scratch {
 public:
  void put(const std::string& path, std::string_view text) const {
    const std::filesystem::path file = at(path);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  [[nodiscard]] std::string at(const std::string& path) const { return folder_.path(path); }
  [[nodiscard]] Paths paths() const { return Paths{at("proc"), at("sys")}; }

  /// 1 GiB, of which 256 MiB are free and 512 MiB available; no swap.
  void put_machine() const {
    put("proc/meminfo",
        "MemTotal:        1048576 kB\nMemFree:          262144 kB\nMemAvailable:     524288 kB\n");
  }
  /// Opened and read once.
  [[nodiscard]] Result<MemoryFigures> read(const std::string& cgroup = {}) const {
    auto reader = MemoryReader::open({.paths = paths(), .cgroup = cgroup});
    if (!reader) return tl::unexpected(reader.error());
    return reader->read();
  }

 private:
  driver::TemporaryFolder folder_;
};

}  // namespace vballoon::policy
