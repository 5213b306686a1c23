// SPDX-License-Identifier: BSD-3-Clause
//
// support/memory_file.hpp - a guest's memory as a VMM makes it: a file of one of three kinds.
// Thread: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "base/units.hpp"

namespace vballoon::perf {

enum class Kind {
  kSmall,    ///< memfd, 4 KiB pages
  kThp,      ///< tmpfs with huge=always, mounted where only this process sees it
  kHugetlb,  ///< memfd of 2 MiB hugetlb pages
};

class MemoryFile {
 public:
  /// @errors kHost, with the way out: no permission to mount, or no huge pages.
  [[nodiscard]] static Result<MemoryFile> create(Kind kind, std::uint64_t bytes);

  /// Has the kernel provide all of it again. Leaves no page-table entries in this process.
  void populate() const;

  /// A hole; @return through the system call itself, nothing between.
  void punch(std::uint64_t offset, std::uint64_t bytes) const;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] std::byte* data() const noexcept { return mapping_.get(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return mapping_.get_deleter().bytes; }
  [[nodiscard]] std::uint64_t pages() const noexcept { return bytes_to_pages(bytes()); }
  /// What the kernel holds for it now.
  [[nodiscard]] std::uint64_t allocated_bytes() const;
  /// Populates it and looks whether nine tenths came as transparent huge pages.
  [[nodiscard]] bool is_huge() const;

 private:
  struct Unmap {
    std::uint64_t bytes;
    void operator()(std::byte* address) const noexcept;
  };
  MemoryFile(UniqueFd fd, Kind kind) noexcept : fd_(std::move(fd)), kind_(kind) {}

  UniqueFd fd_;
  std::unique_ptr<std::byte, Unmap> mapping_;
  Kind kind_;
};

}  // namespace vballoon::perf
