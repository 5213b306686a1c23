// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/policy/host/test_cgroup_text.cpp - limits of cgroups, version 1 and 2, and of their
//                                               parents.
// The machine has 1 GiB, 256 MiB free, 512 MiB available.
#include <unistd.h>

#include "base/units.hpp"
#include "scratch.hpp"

namespace vballoon::policy {
namespace {

const std::uint64_t kHostPage = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
constexpr std::string_view kNone = "9223372036854771712\n";

std::string mib(std::uint64_t count) {
  return std::to_string(count * kMiB) + "\n";
}

void put_v1(const Scratch& host, const std::string& folder, const std::string& limit,
            std::uint64_t usage, std::uint64_t file, const std::string& hierarchical) {
  host.put(folder + "/memory.limit_in_bytes", limit);
  host.put(folder + "/memory.usage_in_bytes", mib(usage));
  host.put(folder + "/memory.stat",
           "inactive_file 1\nactive_file 1\nhierarchical_memory_limit " + hierarchical +
               "total_shmem " + mib(7) + "total_swap " + mib(5) +
               "total_workingset_refault_anon 3\ntotal_inactive_file " + mib(file / 2) +
               "total_active_file " + mib(file - file / 2));
}

void put_v2(const Scratch& host, const std::string& folder, const std::string& limit,
            std::uint64_t usage, std::uint64_t file) {
  host.put(folder + "/cgroup.controllers", "memory\n");
  host.put(folder + "/memory.max", limit);
  host.put(folder + "/memory.high", "max\n");
  host.put(folder + "/memory.current", mib(usage));
  host.put(folder + "/memory.stat", "anon 1\nshmem 7\ninactive_file " + mib(file / 2) +
                                        "active_file " + mib(file - file / 2) +
                                        "workingset_refault_anon 3\n");
}

TEST(CgroupText, Version1) {
  const Scratch host;
  host.put_machine();
  put_v1(host, "vms", mib(400), 300, 100, mib(400));
  const auto figures = host.read(host.at("vms"));
  ASSERT_TRUE(figures) << figures.error().message;
  EXPECT_EQ(figures->total, 400 * kMiB);
  EXPECT_EQ(figures->free, 100 * kMiB);
  EXPECT_EQ(figures->available, 200 * kMiB);
  ASSERT_TRUE(figures->cgroup);
  EXPECT_EQ(figures->cgroup->limit, 400 * kMiB);
  EXPECT_EQ(figures->cgroup->room, 200 * kMiB);
  EXPECT_EQ(figures->cgroup->usage, 300 * kMiB);
  EXPECT_EQ(figures->cgroup->file, 100 * kMiB) << "of all below it, and no shared memory";
  EXPECT_EQ(figures->cgroup->swap, 5 * kMiB);
  EXPECT_EQ(figures->cgroup->swap_in_bytes, 3 * kHostPage);
  EXPECT_FALSE(figures->cgroup->swap_out_bytes) << "version 1 does not count them";
}

TEST(CgroupText, WithoutALimitTheMachineCounts) {
  const Scratch host;
  host.put_machine();
  put_v1(host, "vms", std::string(kNone), 300, 100, std::string(kNone));
  put_v2(host, "vms2", "max\n", 300, 100);
  for (const char* const folder : {"vms", "vms2"}) {
    const auto figures = host.read(host.at(folder));
    ASSERT_TRUE(figures) << figures.error().message;
    EXPECT_EQ(figures->total, kGiB);
    EXPECT_EQ(figures->free, 256 * kMiB);
    EXPECT_EQ(figures->available, 512 * kMiB);
    EXPECT_FALSE(figures->cgroup->limit);
    EXPECT_FALSE(figures->cgroup->room);
  }
}

TEST(CgroupText, TheMachineMayHaveLessThanTheLimit) {
  const Scratch host;
  host.put_machine();
  put_v1(host, "vms", mib(4096), 300, 0, mib(4096));
  const auto figures = host.read(host.at("vms"));
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->total, kGiB);
  EXPECT_EQ(figures->available, 512 * kMiB);
}

TEST(CgroupText, AParentsLimitAndItsOtherChildren) {
  const Scratch host;
  host.put_machine();
  put_v1(host, "parent", mib(350), 320, 40, mib(350));
  put_v1(host, "parent/vms", mib(400), 100, 30, mib(350));
  put_v2(host, "parent2", mib(350), 320, 40);
  put_v2(host, "parent2/vms", mib(400), 100, 30);
  for (const char* const folder : {"parent/vms", "parent2/vms", "parent2/vms/", "parent2/./vms"}) {
    const auto figures = host.read(host.at(folder));
    ASSERT_TRUE(figures) << figures.error().message;
    EXPECT_EQ(figures->total, 350 * kMiB) << folder;
    EXPECT_EQ(figures->available, 70 * kMiB) << "others have the parent's: " << folder;
    EXPECT_EQ(figures->cgroup->usage, 100 * kMiB);
  }
}

TEST(CgroupText, AParentThatIsNotShown) {
  const Scratch host;
  host.put_machine();
  put_v1(host, "vms", std::string(kNone), 100, 30, mib(200));
  const auto figures = host.read(host.at("vms"));
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->total, 200 * kMiB);
  EXPECT_EQ(figures->available, 130 * kMiB);
}

TEST(CgroupText, Version2) {
  const Scratch host;
  host.put_machine();
  put_v2(host, "vms", mib(400), 300, 100);
  auto figures = host.read(host.at("vms"));
  ASSERT_TRUE(figures) << figures.error().message;
  EXPECT_EQ(figures->total, 400 * kMiB);
  EXPECT_EQ(figures->available, 200 * kMiB);
  EXPECT_FALSE(figures->cgroup->swap);
  EXPECT_EQ(figures->cgroup->swap_in_bytes, 3 * kHostPage) << "an old kernel";
  EXPECT_FALSE(figures->cgroup->swap_out_bytes);

  host.put("vms/memory.swap.current", "4096\n");
  host.put("vms/memory.stat", "workingset_refault_anon 3\npswpin 5\npswpout 6\n");
  figures = host.read(host.at("vms"));
  EXPECT_EQ(figures->available, 100 * kMiB);
  EXPECT_EQ(figures->cgroup->swap, 4096U);
  EXPECT_EQ(figures->cgroup->swap_in_bytes, 5 * kHostPage);
  EXPECT_EQ(figures->cgroup->swap_out_bytes, 6 * kHostPage);

  host.put("vms/memory.high", mib(320));
  EXPECT_EQ(host.read(host.at("vms"))->total, 320 * kMiB) << "above it tasks are made to wait";
}

TEST(CgroupText, MoreIsUsedThanTheLimit) {
  const Scratch host;
  host.put_machine();
  put_v1(host, "vms", mib(100), 300, 900, mib(100));
  const auto figures = host.read(host.at("vms"));
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->free, 0U);
  EXPECT_EQ(figures->available, 100 * kMiB) << "the page cache is no more than all that is used";
  put_v1(host, "vms", mib(100), 300, 20, mib(100));
  EXPECT_EQ(host.read(host.at("vms"))->available, 0U);
}

TEST(CgroupText, NonsenseIsAnErrorAndNeverNoLimit) {
  for (const char* const file : {"memory.limit_in_bytes", "memory.usage_in_bytes"}) {
    const Scratch host;
    host.put_machine();
    put_v1(host, "vms", mib(400), 300, 100, mib(400));
    host.put(std::string("vms/") + file, "lots\n");
    const auto figures = host.read(host.at("vms"));
    ASSERT_FALSE(figures) << file;
    EXPECT_EQ(figures.error().code, Code::kHost);
    EXPECT_NE(figures.error().message.find(host.at("vms")), std::string::npos);
  }
  const Scratch host;
  host.put_machine();
  put_v1(host, "parent", mib(350), 320, 40, mib(350));
  put_v1(host, "parent/vms", mib(400), 100, 30, mib(350));
  host.put("parent/memory.limit_in_bytes", "-1\n");
  EXPECT_FALSE(host.read(host.at("parent/vms")));
}

TEST(CgroupText, AFolderThatIsNone) {
  const Scratch host;
  host.put_machine();
  host.put("empty/file", "");
  host.put("bare/cgroup.controllers", "cpu\n");
  const auto missing = host.read(host.at("nowhere"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_NE(missing.error().message.find(host.at("nowhere")), std::string::npos);
  for (const char* const folder : {"empty", "bare"}) {
    const auto figures = host.read(host.at(folder));
    ASSERT_FALSE(figures) << folder;
    EXPECT_EQ(figures.error().code, Code::kInvalidArgument);
    EXPECT_NE(figures.error().message.find("does not count memory"), std::string::npos);
  }
}

}  // namespace
}  // namespace vballoon::policy
