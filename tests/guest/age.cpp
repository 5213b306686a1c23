// SPDX-License-Identifier: BSD-3-Clause
//
// tests/guest/age.cpp - runs in a guest: leaves its memory as one that has run for long has it.
//
//   age checker|mix|slab MIB      returns when it is done; a process stays and holds the memory
//   age cache MIB FILE            page cache of so much of the file
//
// checker: anonymous memory, of which every second page is free.
// mix:     anonymous memory and small files in step, of which a random half is free.
// slab:    as mix, with ten empty files for each small one.
// Statically linked: the guest has no libraries. Files are made in /tmp/age.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMiB = 1 << 20;
constexpr std::size_t kPagesAStep = 16;  // of each kind
const std::string kFolder = "/tmp/age";

using Random = std::minstd_rand;  // the same each time

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

char* map(std::size_t bytes) {
  void* const at =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) give_up("age: mmap");
  ::madvise(at, bytes, MADV_NOHUGEPAGE);
  return static_cast<char*>(at);
}

void drop(char* page) {
  if (::madvise(page, kPage, MADV_DONTNEED) != 0) give_up("age: madvise");
}

void checker(std::size_t bytes) {
  char* const memory = map(bytes);
  for (std::size_t at = 0; at < bytes; at += kPage) memory[at] = 1;
  for (std::size_t at = 0; at < bytes; at += 2 * kPage) drop(memory + at);
}

std::string path_of(const char* kind, std::size_t number) {
  return kFolder + "/" + kind + std::to_string(number);
}

void make_file(const std::string& path, std::size_t bytes) {
  static const std::array<char, kPage> zeroes{};
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) give_up("age: open");
  for (; bytes != 0; bytes -= kPage) {
    if (::write(file, zeroes.data(), kPage) != static_cast<ssize_t>(kPage)) give_up("age: write");
  }
  ::close(file);
}

/// @param empties  so many empty files for each small one.
void mix(std::size_t bytes, std::size_t empties) {
  ::mkdir(kFolder.c_str(), 0700);
  const std::size_t steps = bytes / (2 * kPagesAStep * kPage);
  char* const memory = map(steps * kPagesAStep * kPage);
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t i = 0; i < kPagesAStep; ++i) {
      memory[(step * kPagesAStep + i) * kPage] = 1;
      const std::size_t number = step * kPagesAStep + i;
      make_file(path_of("small", number), kPage);
      for (std::size_t j = 0; j < empties; ++j)
        make_file(path_of("empty", number * empties + j), 0);
    }
  }
  Random random;
  for (std::size_t number = 0; number < steps * kPagesAStep; ++number) {
    if (random() % 2 == 0) drop(memory + number * kPage);
    if (random() % 2 == 0) ::unlink(path_of("small", number).c_str());
  }
}

void cache(std::size_t bytes, const char* path) {
  static std::array<char, kMiB> buffer;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) give_up(path);
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got = ::read(file, buffer.data(), buffer.size());
    if (got <= 0) give_up("age: the file is shorter than that");
    done += static_cast<std::size_t>(got);
  }
}

void age(std::string_view state, std::size_t bytes, const char* path) {
  if (state == "checker") return checker(bytes);
  if (state == "mix") return mix(bytes, 0);
  if (state == "slab") return mix(bytes, 10);
  if (state == "cache" && path != nullptr) return cache(bytes, path);
  std::fputs("age: no such state\n", stderr);
  std::exit(2);
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) {
    std::fputs("usage: age checker|mix|slab MIB\n       age cache MIB FILE\n", stderr);
    return 2;
  }
  std::array<int, 2> done{};
  if (::pipe(done.data()) != 0) give_up("age: pipe");
  if (::fork() != 0) {
    ::close(done[1]);
    char byte = 1;
    return ::read(done[0], &byte, 1) == 1 ? 0 : 1;  // its end, before it is done, is the other
  }
  ::setsid();
  age(words[1], std::strtoul(words[2], nullptr, 10) * kMiB, count > 3 ? words[3] : nullptr);
  if (::write(done[1], "", 1) != 1) return 1;
  for (const int standard : {0, 1, 2}) ::close(standard);
  for (;;) ::pause();
}
