// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/policy/host/real_cgroup.hpp - cgroups of this machine's kernel, and processes that
//                                   need more than their cgroup may have.
// Needs root; who finds valid() false says skipped() and stops.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace vballoon::policy {

inline constexpr const char* kMemoryV1 = "/sys/fs/cgroup/memory";
inline constexpr const char* kLimitV1 = "memory.limit_in_bytes";
inline constexpr const char* kUnified = "/sys/fs/cgroup/unified";

/// A cgroup of our own, gone at the end.
class RealCgroup {
 public:
  /// @param parent  a folder of the hierarchy in which `file` shows that it is the right one.
  RealCgroup(const std::string& parent, std::string_view name, std::string_view file);
  ~RealCgroup() { remove(); }
  RealCgroup(const RealCgroup&) = delete;
  RealCgroup& operator=(const RealCgroup&) = delete;

  [[nodiscard]] bool valid() const noexcept { return !folder_.empty(); }
  /// Why it is not valid.
  [[nodiscard]] const std::string& skipped() const noexcept { return why_; }
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }

  [[nodiscard]] bool write(const std::string& file, const std::string& text) const;
  /// As soon as the kernel lets us. @return false when it does not within seconds.
  bool remove();

 private:
  std::string folder_;
  std::string why_;
};

/// A process that lives in cgroups and ends with this object.
class Child {
 public:
  /// @param body  what it does there, before it waits for its end.
  Child(std::initializer_list<const RealCgroup*> cgroups, const std::function<void()>& body);
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Waits until `body` is through. @return false when it did not get there.
  [[nodiscard]] bool done() const;
  void end();

 private:
  pid_t pid_ = -1;
  int ready_ = -1;
};

/// For Child: writes a file of that many bytes on a disk and reads it without end.
void read_file_forever(std::uint64_t bytes);
/// Whether there is a disk for that.
[[nodiscard]] bool has_disk();

}  // namespace vballoon::policy
