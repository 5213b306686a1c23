// SPDX-License-Identifier: BSD-3-Clause
//
// vm/state/file.hpp - one state file, mapped.
// Thread: as for DeviceState.
#pragma once

#include <string>
#include <vector>

#include "gmem/lost_memory.hpp"
#include "vm/state/format.hpp"

namespace vballoon::vm {

class DeviceState::File {
 public:
  /// Maps the file of this name, and checks it before anything is used.
  /// @errors kNotFound when there is no file; else the reason why the file is of no use.
  [[nodiscard]] static Result<std::unique_ptr<File>> load(const Folder& folder,
                                                          const std::string& name);
  /// Makes a file. The file system provides the header, and the words of the first 128 GiB of
  /// guest, at once, so that no store there can fail. It provides the words of a larger guest as
  /// they are used, because a VMM's claim must not fill the folder.
  /// @param page_sizes  see Header. @errors kHost.
  [[nodiscard]] static Result<std::unique_ptr<File>> make(const Folder& folder,
                                                          const std::string& name,
                                                          const std::vector<RegionRecord>& regions,
                                                          std::uint32_t page_sizes);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] Header& header() noexcept { return *static_cast<Header*>(at_); }
  [[nodiscard]] const Header& header() const noexcept { return *static_cast<const Header*>(at_); }
  /// What of the file is for the ledger.
  [[nodiscard]] Room room(bool filled) noexcept;
  /// Whether the file system had no room for a page of the words. This process goes on with a page
  /// of its own memory, and the file is not complete.
  [[nodiscard]] bool lost() const noexcept { return watch_.lost(); }
  [[nodiscard]] bool is_of(const std::vector<RegionRecord>& regions) const noexcept;

 private:
  File(void* at, std::size_t bytes);
  static Result<std::unique_ptr<File>> map(int fd, std::size_t bytes);
  [[nodiscard]] Result<void> check(int fd, const Folder& folder) const;
  [[nodiscard]] bool ends_well(int fd) const noexcept;
  [[nodiscard]] std::span<std::uint64_t> words_at(std::size_t offset, std::size_t count) noexcept;
  void make_touched();
  void find_touched(int fd);

  void* at_;
  std::size_t bytes_;
  // A bit for every 4 KiB of the ledger's words, and of the marks: where any may be set.
  std::vector<std::uint64_t> touched_;
  std::vector<std::uint64_t> marks_touched_;
  gmem::MemoryWatch watch_;
};

}  // namespace vballoon::vm
