// SPDX-License-Identifier: BSD-3-Clause
//
// guest/search_chunks.cpp - runs in a guest: searches in copies of random chunks of memory.
//
//   search-chunks CHUNKS SECONDS
//
// Holds so many chunks of 1 MiB, each full of records sorted by key. Then each thread, one for a
// cpu, does the same again and again for so many seconds: it takes a random chunk, copies it to
// fresh memory, and looks a random key up in the copy. A record that is found counts; one that is
// not where it was put means that memory was lost, and ends it with status 1.
// The founding mail measures with a load of this kind; it is what perf/auto-balloon runs.
// Statically linked, and nothing of ours in it: the guest has no libraries.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <span>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Key = std::uint64_t;

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::size_t kKeys = kChunkBytes / sizeof(Key);
constexpr Key kGap = 1000;  // between two keys, less a random part of it

/// 1 MiB, straight from the kernel and back to it.
class Chunk {
 public:
  Chunk() : at_(map()) {}
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;
  ~Chunk() { munmap(at_, kChunkBytes); }

  std::span<Key> keys() { return {static_cast<Key*>(at_), kKeys}; }
  std::span<const Key> keys() const { return {static_cast<const Key*>(at_), kKeys}; }

 private:
  static void* map() {
    void* at =
        mmap(nullptr, kChunkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
      std::perror("search-chunks: no memory");
      std::exit(1);
    }
    return at;
  }

  void* at_;
};

/// By the kernel. Under User Mode Linux each page that the program itself touches first costs it a
/// fault of 40 us, and a copy would be 99 % faults; the kernel does a MiB in a fraction of one ms.
void copy(const Chunk& from, Chunk& to) {
  const iovec ours{const_cast<Key*>(from.keys().data()), kChunkBytes};
  const iovec theirs{to.keys().data(), kChunkBytes};
  if (process_vm_writev(getpid(), &ours, 1, &theirs, 1, 0) != ssize_t{kChunkBytes}) {
    std::perror("search-chunks: process_vm_writev");
    std::exit(1);
  }
}

std::vector<Chunk> fill(std::size_t count) {
  std::vector<Chunk> chunks(count);
  std::minstd_rand chance(static_cast<unsigned>(count));
  Chunk draft;
  for (Chunk& chunk : chunks) {
    Key key = chance();
    // The low part is random, so that no two pages hold the same and none can be stored as a hole.
    std::ranges::generate(draft.keys(), [&] { return (key += kGap - chance() % kGap); });
    copy(draft, chunk);
  }
  return chunks;
}

bool found_in_copy(const Chunk& chunk, std::size_t place) {
  Chunk fresh;
  copy(chunk, fresh);
  const Key wanted = chunk.keys()[place];
  const auto keys = fresh.keys();
  const auto found = std::ranges::lower_bound(keys, wanted);
  return found != keys.end() && *found == wanted && found - keys.begin() == std::ptrdiff_t(place);
}

void search(const std::vector<Chunk>& chunks, Clock::time_point end, unsigned seed,
            std::atomic<std::uint64_t>& records) {
  std::minstd_rand chance(seed);
  while (Clock::now() < end) {
    const Chunk& chunk = chunks[chance() % chunks.size()];
    if (!found_in_copy(chunk, chance() % kKeys)) {
      std::fputs("search-chunks: a record is not where it was: memory was lost\n", stderr);
      std::exit(1);
    }
    ++records;
  }
}

std::uint64_t search_with_every_cpu(const std::vector<Chunk>& chunks, double seconds) {
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(seconds));
  std::atomic<std::uint64_t> records{0};
  std::vector<std::jthread> threads;
  for (unsigned cpu = 0; cpu < std::max(1U, std::thread::hardware_concurrency()); ++cpu) {
    threads.emplace_back([&, cpu] { search(chunks, end, cpu + 1, records); });
  }
  threads.clear();
  return records;
}

double since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

int main(int count, char** words) {
  const std::size_t chunk_count = count == 3 ? std::strtoul(words[1], nullptr, 10) : 0;
  const double seconds = count == 3 ? std::strtod(words[2], nullptr) : 0;
  if (chunk_count == 0 || seconds <= 0) {
    std::fputs("usage: search-chunks CHUNKS SECONDS\n", stderr);
    return 2;
  }
  const auto began = Clock::now();
  const std::vector<Chunk> chunks = fill(chunk_count);
  const double filled = since(began);
  const std::uint64_t records = search_with_every_cpu(chunks, seconds);
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  std::printf("records %" PRIu64 "\nfill_s %.3f\nelapsed_s %.3f\nuser_s %.3f\nsys_s %.3f\n",
              records, filled, since(began), seconds_of(used.ru_utime), seconds_of(used.ru_stime));
  return 0;
}
