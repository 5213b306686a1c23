// SPDX-License-Identifier: BSD-3-Clause
//
// vm/state/file.hpp - one state file, mapped.
// Thread: as DeviceState.
#pragma once

#include <string>
#include <vector>

#include "gmem/lost_memory.hpp"
#include "vm/state/format.hpp"

namespace vballoon::vm {

class DeviceState::File {
 public:
  /// Maps the file at this name and believes none of it unchecked.
  /// @errors kNotFound: there is none; else why it is of no use.
  [[nodiscard]] static Result<std::unique_ptr<File>> load(const Folder& folder,
                                                          const std::string& name);
  /// The memory of its header is there, and of the words of a guest of 128 GiB: no store there can
  /// fail. Of a larger guest the rest comes as it is used, for what a VMM claims is no reason to
  /// fill the folder. @errors kHost.
  [[nodiscard]] static Result<std::unique_ptr<File>> make(const Folder& folder,
                                                          const std::string& name,
                                                          const std::vector<RegionRecord>& regions);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] Header& header() noexcept { return *static_cast<Header*>(at_); }
  [[nodiscard]] const Header& header() const noexcept { return *static_cast<const Header*>(at_); }
  [[nodiscard]] std::span<std::uint64_t> words() noexcept;
  /// See DeviceState::Room.
  [[nodiscard]] std::span<std::uint64_t> touched() noexcept { return touched_; }
  /// The folder had no room for a page of the words: this process goes on with one of its own, but
  /// what is in the file is not all.
  [[nodiscard]] bool lost() const noexcept { return watch_.lost(); }
  [[nodiscard]] bool is_of(const std::vector<RegionRecord>& regions) const noexcept;

 private:
  File(void* at, std::size_t bytes);
  static Result<std::unique_ptr<File>> map(int fd, std::size_t bytes);
  [[nodiscard]] Result<void> check(int fd, const Folder& folder) const;
  [[nodiscard]] bool ends_well(int fd) const noexcept;
  void find_touched(int fd);

  void* at_;
  std::size_t bytes_;
  std::vector<std::uint64_t> touched_;
  gmem::MemoryWatch watch_;
};

}  // namespace vballoon::vm
