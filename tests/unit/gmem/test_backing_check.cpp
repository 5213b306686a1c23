// SPDX-License-Identifier: BSD-3-Clause
//
// What may be guest memory. A FUSE server that does not answer is not played here: what asks nobody
// cannot be held up, and that of a mount in /proc/self/mountinfo is proven on its text.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/unique_fd.hpp"
#include "gmem/backing_check.hpp"

namespace vballoon::gmem {
namespace {

constexpr std::string_view kMounts =
    "22 1 253:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    "23 22 0:52 / /home/a\\040b rw - fuse.sshfs server: rw\n"
    "2 22 0:5 / /x rw shared:2 master:1 - tmpfs tmpfs rw\n"
    "24 22 0:6 / /broken rw shared:2\n";

TEST(MountType, StandsBehindTheDash) {
  EXPECT_EQ(mount_type(kMounts, "253:1"), "ext4");
  EXPECT_EQ(mount_type(kMounts, "0:52"), "fuse.sshfs");
  EXPECT_EQ(mount_type(kMounts, "0:5"), "tmpfs");
}

TEST(MountType, NothingWhereThereIsNone) {
  EXPECT_EQ(mount_type(kMounts, "0:3"), "");
  EXPECT_EQ(mount_type(kMounts, "0:6"), "");
  EXPECT_EQ(mount_type("", "0:0"), "");
  EXPECT_EQ(mount_type("\n\n", "0:7"), "");
}

TEST(CheckBacking, SharedMemoryAndLocalDisks) {
  const UniqueFd memfd(::memfd_create("guest-ram", MFD_CLOEXEC));
  EXPECT_TRUE(check_backing(memfd.get()));
  const UniqueFd sealed(::memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_TRUE(check_backing(sealed.get()));
  std::array<char, 32> path{"./vballoon-backing-XXXXXX"};
  const UniqueFd file(::mkstemp(path.data()));
  ::unlink(path.data());
  const auto verdict = check_backing(file.get());
  EXPECT_TRUE(verdict) << verdict.error().message;
}

TEST(CheckBacking, AnythingElseIsNamed) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  EXPECT_NE(check_backing(reader.get()).error().message.find("neither a file nor a device"),
            std::string::npos);
  const UniqueFd proc(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
  EXPECT_NE(check_backing(proc.get()).error().message.find("of type proc"), std::string::npos);
  const UniqueFd folder(::open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_FALSE(check_backing(folder.get()));
  EXPECT_NE(check_backing(-1).error().message.find("not a file"), std::string::npos);
}

}  // namespace
}  // namespace vballoon::gmem
