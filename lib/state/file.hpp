// SPDX-License-Identifier: BSD-3-Clause
//
// state/file.hpp - one state file, mapped.
// Layer:  state, its sources only. Thread: as DeviceState.
#pragma once

#include <string>
#include <vector>

#include "format.hpp"

namespace vballoon::state {

class DeviceState::File {
 public:
  /// Maps the file at this name and believes none of it unchecked.
  /// @errors kNotFound: there is none; else why it is of no use.
  [[nodiscard]] static Result<std::unique_ptr<File>> load(const Folder& folder,
                                                          const std::string& name);
  /// All of its memory is there: no later store can fail. @errors kHost.
  [[nodiscard]] static Result<std::unique_ptr<File>> make(const Folder& folder,
                                                          const std::string& name,
                                                          const std::vector<RegionRecord>& regions);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] Header& header() noexcept { return *static_cast<Header*>(at_); }
  [[nodiscard]] const Header& header() const noexcept { return *static_cast<const Header*>(at_); }
  [[nodiscard]] std::span<std::uint64_t> words() noexcept;
  [[nodiscard]] bool is_of(const std::vector<RegionRecord>& regions) const noexcept;

 private:
  File(void* at, std::size_t bytes) noexcept : at_(at), bytes_(bytes) {}
  static Result<std::unique_ptr<File>> map(int fd, std::size_t bytes);
  [[nodiscard]] Result<void> check(const Folder& folder) const;

  void* at_;
  std::size_t bytes_;
};

}  // namespace vballoon::state
