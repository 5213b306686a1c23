// SPDX-License-Identifier: BSD-3-Clause
//
// vm/state/folder.hpp - where what outlives the daemon is kept: a folder of its own, for one
//                       daemon.
// Thread: opened by the control thread, read by any.
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace vballoon::vm {

class Folder {
 public:
  /// Makes it if need be, with mode 0700, and locks it as long as this lives.
  /// @param boot  which boot of the host this is; what is of another is of no use any more.
  /// @errors kHost: it cannot be made or opened; kInvalidArgument: it is not ours alone to write;
  ///         kAlreadyExists: another daemon has it.
  [[nodiscard]] static Result<Folder> open(const std::string& path, std::string boot = this_boot());

  /// Empty where the kernel does not say.
  [[nodiscard]] static std::string this_boot();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const std::string& boot() const noexcept { return boot_; }

 private:
  Folder(UniqueFd fd, std::string path, std::string boot)
      : fd_(std::move(fd)), path_(std::move(path)), boot_(std::move(boot)) {}

  UniqueFd fd_;
  std::string path_;
  std::string boot_;
};

}  // namespace vballoon::vm
