// SPDX-License-Identifier: BSD-3-Clause
#include "gmem/backing_check.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/stat.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

namespace vballoon::gmem {
namespace {

/// Nobody but the kernel and its own disks stands behind these.
constexpr std::array<std::string_view, 11> kLocal{
    "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"};

bool is_shared_memory(int fd) noexcept {
  return ::fcntl(fd, F_GET_SEALS) >= 0;
}

std::string mounts() {
  std::ifstream file("/proc/self/mountinfo");
  return {std::istreambuf_iterator<char>(file), {}};
}

tl::unexpected<Status> refuse(std::string_view what) {
  return fail(
      Code::kInvalidArgument,
      fmt::format("guest memory is {}; it must be a memfd, or a file on tmpfs, hugetlbfs or "
                  "a local disk",
                  what));
}

std::string_view next_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(line.size(), word.size() + 1));
  return word;
}

}  // namespace

std::string mount_type(std::string_view mountinfo, const MountKey& key) {
  std::string by_device;
  while (!mountinfo.empty()) {
    std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(mountinfo.size(), line.size() + 1));
    const std::string_view mount = next_word(line);
    next_word(line);  // its parent's id
    const bool is_it = !key.mount.empty() && mount == key.mount;
    if (next_word(line) != key.device && !is_it) continue;
    // Any number of optional fields, then a dash, then the type.
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) return {};
    line.remove_prefix(dash + 3);
    std::string type(next_word(line));
    if (is_it) return type;
    if (by_device.empty()) by_device = type;
  }
  return by_device;
}

Result<void> check_backing(int fd) {
  if (is_shared_memory(fd)) return {};
  struct statx file {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &file) != 0) {
    return refuse("not a file");
  }
  if (S_ISCHR(file.stx_mode)) return {};
  if (!S_ISREG(file.stx_mode)) return refuse("neither a file nor a device");
  MountKey key{{}, fmt::format("{}:{}", file.stx_dev_major, file.stx_dev_minor)};
  if ((file.stx_mask & STATX_MNT_ID) != 0) key.mount = std::to_string(file.stx_mnt_id);
  const std::string type = mount_type(mounts(), key);
  if (std::find(kLocal.begin(), kLocal.end(), type) != kLocal.end()) return {};
  if (type.empty()) return refuse("on a file system that is not mounted here");
  return refuse(
      fmt::format("on a file system of type {}, whose pages may be long in coming", type));
}

}  // namespace vballoon::gmem
