// SPDX-License-Identifier: BSD-3-Clause
//
// vm/state/folder.hpp - the state folder of one daemon, for state that outlives it.
// Thread: the control thread opens it; any thread reads this object.
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace vballoon::vm {

class Folder {
 public:
  /// Makes the folder with mode 0700 where it is missing, and locks it while this object lives.
  /// @param boot  identifies the boot of the host. State of another boot is not used.
  /// @errors kHost when the folder cannot be made or opened; kInvalidArgument when another user may
  ///         write there; kAlreadyExists when another daemon has locked it.
  [[nodiscard]] static Result<Folder> open(const std::string& path, std::string boot = this_boot());

  /// @return the kernel's boot id; empty where the kernel has none.
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
