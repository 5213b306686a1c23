// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/policy/host/test_memory_text.cpp - what the machine's files say: good, short, or
//                                               nonsense.
#include <unistd.h>

#include <limits>

#include "base/units.hpp"
#include "scratch.hpp"

namespace vballoon::policy {
namespace {

const std::uint64_t kPage = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();

constexpr std::string_view kZones =
    "Node 0, zone      DMA\n"
    "  per-node stats\n      nr_inactive_anon 178145\n"
    "  pages free     3840\n        boost    0\n        min      10\n        low      13\n"
    "        high     16\n        promo    19\n"
    "  pagesets\n    cpu: 0\n              count:    2\n              high:     378\n"
    "Node 0, zone   Normal\n  pages free     20\n        low      100\n        high     200\n"
    "Node 1, zone   Normal\n  pages free     20\n        low      1000\n        high     2000\n";

TEST(MemoryText, OfAnOrdinaryMachine) {
  const Scratch host;
  host.put("proc/meminfo",
           "MemTotal:        1048576 kB\nMemFree:          262144 kB\nMemAvailable:     524288 kB\n"
           "SwapCached:            1 kB\nSwapTotal:        131072 kB\nSwapFree:     65536 kB\n");
  host.put("proc/vmstat", "nr_free_pages 9\npgpgin 5\npswpin 3\npswpout 4\n");
  host.put("proc/zoneinfo", kZones);
  const auto figures = host.read();
  ASSERT_TRUE(figures) << figures.error().message;
  EXPECT_EQ(figures->total, kGiB);
  EXPECT_EQ(figures->free, 256 * kMiB);
  EXPECT_EQ(figures->available, 512 * kMiB);
  EXPECT_EQ(figures->swap_total, 128 * kMiB);
  EXPECT_EQ(figures->swap_free, 64 * kMiB);
  EXPECT_EQ(figures->swap_in_bytes, 3 * kPage);
  EXPECT_EQ(figures->swap_out_bytes, 4 * kPage);
  EXPECT_EQ(figures->watermark_low, 1113 * kPage);
  EXPECT_EQ(figures->watermark_high, 2216 * kPage) << "the lists of cpus are not in it";
  EXPECT_FALSE(figures->cgroup);
}

TEST(MemoryText, WhatIsMissingIsLeftOut) {
  const Scratch host;
  host.put_machine();
  const auto figures = host.read();
  ASSERT_TRUE(figures) << figures.error().message;
  EXPECT_EQ(figures->swap_total, 0U);
  EXPECT_FALSE(figures->swap_in_bytes);
  EXPECT_FALSE(figures->swap_out_bytes);
  EXPECT_FALSE(figures->watermark_low);
  EXPECT_FALSE(figures->watermark_high);
  EXPECT_TRUE(figures->nodes.empty());
  EXPECT_TRUE(figures->huge_pages.empty());
}

TEST(MemoryText, WithoutMeminfoThereIsNoReader) {
  const Scratch host;
  const auto figures = host.read();
  ASSERT_FALSE(figures);
  EXPECT_EQ(figures.error().code, Code::kHost);
  EXPECT_NE(figures.error().message.find("proc/meminfo: No such file"), std::string::npos)
      << figures.error().message;
}

TEST(MemoryText, NonsenseIsAnErrorWhereItIsNeeded) {
  for (const std::string_view text :
       {"", "\n", "MemTotal:", "MemTotal: x kB\nMemFree: 1 kB\nMemAvailable: 1 kB\n",
        "MemTotal: -1 kB\nMemFree: 1 kB\nMemAvailable: 1 kB\n",
        "XMemTotal: 1 kB\nMemFree: 1 kB\nMemAvailable: 1 kB\n",
        "MemTotal: 1 kB\nMemFree: 1 kB\nMemAvailable 1 kB\n"}) {
    const Scratch host;
    host.put("proc/meminfo", text);
    const auto figures = host.read();
    ASSERT_FALSE(figures) << text;
    EXPECT_EQ(figures.error().code, Code::kHost);
  }
}

TEST(MemoryText, NonsenseIsNoFigureElsewhere) {
  const Scratch host;
  host.put_machine();
  host.put("proc/vmstat", "pswpin many\npswpout\n");
  host.put("proc/zoneinfo",
           "Node x, zone DMA\n low 3\nNode 99999999999, zone DMA\n low 3\nlow 4\nhigh\n");
  host.put("sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: nothing\n");
  host.put("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "12 monkeys\n");
  host.put("sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "1\n");
  const auto figures = host.read();
  ASSERT_TRUE(figures) << figures.error().message;
  EXPECT_FALSE(figures->swap_in_bytes);
  EXPECT_FALSE(figures->swap_out_bytes);
  EXPECT_FALSE(figures->watermark_low);
  EXPECT_TRUE(figures->nodes.empty());
  EXPECT_TRUE(figures->huge_pages.empty());
}

TEST(MemoryText, WhatIsTooLargeIsTheLargest) {
  const Scratch host;
  host.put("proc/meminfo",
           "MemTotal: 99999999999999999999999 kB\nMemFree: 18446744073709551615 kB\n"
           "MemAvailable: 1 kB\nSwapTotal: 4 kB\nSwapFree: 99 kB\n");
  host.put("proc/zoneinfo",
           "Node 0, zone A\n low 18446744073709551615\nNode 1, zone A\n low 1\n high 1\n");
  const auto figures = host.read();
  ASSERT_TRUE(figures) << figures.error().message;
  EXPECT_EQ(figures->total, kLargest);
  EXPECT_EQ(figures->free, kLargest);
  EXPECT_EQ(figures->swap_free, 4 * kKiB) << "no more than there is";
  EXPECT_EQ(figures->watermark_low, kLargest);
  EXPECT_EQ(figures->watermark_high, kPage);
}

TEST(MemoryText, NodesAndTheirPools) {
  const Scratch host;
  host.put_machine();
  host.put("proc/zoneinfo", kZones);
  const std::string nodes = "sys/devices/system/node/";
  host.put(nodes + "node10/meminfo", "Node 10 MemTotal: 8 kB\nNode 10 MemFree: 4 kB\n");
  host.put(nodes + "node1/meminfo",
           "Node 1 MemTotal: 1048576 kB\nNode 1 MemFree: 102400 kB\nNode 1 Active(file): 40960 kB\n"
           "Node 1 Inactive(file): 20480 kB\nNode 1 FilePages: 999999 kB\n");
  host.put(nodes + "power/meminfo", "MemTotal: 1 kB\nMemFree: 1 kB\n");
  const std::string pools = nodes + "node1/hugepages/hugepages-";
  host.put(pools + "1048576kB/nr_hugepages", "2\n");
  host.put(pools + "1048576kB/free_hugepages", "1\n");
  host.put(pools + "2048kB/nr_hugepages", "100\n");
  host.put(pools + "2048kB/free_hugepages", "60\n");
  host.put(pools + "2048kB/surplus_hugepages", "10\n");
  const auto figures = host.read();
  ASSERT_TRUE(figures) << figures.error().message;

  ASSERT_EQ(figures->nodes.size(), 2U);
  const NodeMemory& one = figures->nodes[0];
  EXPECT_EQ(one.node, 1U);
  EXPECT_EQ(one.total, kGiB);
  EXPECT_EQ(one.free, 100 * kMiB);
  EXPECT_EQ(one.file, 60 * kMiB);
  EXPECT_EQ(one.watermark_low, 1000 * kPage);
  EXPECT_EQ(one.available, 160 * kMiB - 1000 * kPage - 2000 * kPage);
  EXPECT_EQ(figures->nodes[1].node, 10U);
  EXPECT_EQ(figures->nodes[1].available, 4 * kKiB);

  ASSERT_EQ(figures->huge_pages.size(), 2U);
  const HugePagePool& small = figures->huge_pages[0];
  EXPECT_EQ(small.node, 1U);
  EXPECT_EQ(small.page_bytes, 2 * kMiB);
  EXPECT_EQ(small.pages, 100U);
  EXPECT_EQ(small.free, 60U);
  EXPECT_EQ(small.surplus, 10U);
  EXPECT_EQ(figures->huge_pages[1].page_bytes, kGiB);
  EXPECT_EQ(figures->huge_pages[1].surplus, 0U) << "that file is not there";
}

TEST(MemoryText, WithoutNodesThePoolsAreTheMachines) {
  const Scratch host;
  host.put_machine();
  host.put("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "7\n");
  host.put("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "9\n");
  host.put("sys/kernel/mm/hugepages/hugepages-bigkB/nr_hugepages", "7\n");
  const auto figures = host.read();
  ASSERT_TRUE(figures) << figures.error().message;
  ASSERT_EQ(figures->huge_pages.size(), 1U);
  EXPECT_FALSE(figures->huge_pages[0].node);
  EXPECT_EQ(figures->huge_pages[0].pages, 7U);
  EXPECT_EQ(figures->huge_pages[0].free, 7U) << "no more than there are";
}

TEST(MemoryText, ALongFileIsReadToItsEnd) {
  const Scratch host;
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "Filler" + std::to_string(i) + ":   1 kB\n";
  host.put("proc/meminfo", text + "MemTotal: 4 kB\nMemFree: 2 kB\nMemAvailable: 3 kB\n");
  const auto figures = host.read();
  ASSERT_TRUE(figures) << figures.error().message;
  EXPECT_EQ(figures->available, 3 * kKiB);
}

TEST(MemoryText, IsReadAnewEachTime) {
  const Scratch host;
  host.put_machine();
  auto reader = MemoryReader::open({.paths = host.paths()});
  ASSERT_TRUE(reader);
  host.put("proc/meminfo", "MemTotal: 8 kB\nMemFree: 2 kB\nMemAvailable: 3 kB\n");
  EXPECT_EQ(reader->read()->total, 8 * kKiB);
}

}  // namespace
}  // namespace vballoon::policy
