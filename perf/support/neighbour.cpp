// SPDX-License-Identifier: BSD-3-Clause
#include "support/neighbour.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <new>

#include "support/cpu.hpp"
#include "support/figures.hpp"

namespace vballoon::perf {
namespace {

constexpr char kTouch = 't';
constexpr char kBusy = 'b';

}  // namespace

Neighbour::Neighbour(const MemoryFile& memory) {
  void* const page =
      ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) give_up("no memory for the neighbour");
  shared_ = new (page) Shared;
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    give_up("no socket pair for the neighbour");
  }
  orders_ = UniqueFd(ends[0]);
  answers_ = UniqueFd(ends[1]);
  pid_ = ::fork();
  if (pid_ < 0) give_up("fork failed");
  if (pid_ == 0) live(memory);
  answers_ = UniqueFd();
}

Neighbour::~Neighbour() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::munmap(shared_, kPageSize);
}

void Neighbour::live(const MemoryFile& memory) const {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pin(kOtherCpu);
  char order = 0;
  while (::read(answers_.get(), &order, 1) == 1) {
    if (order == kTouch && ::madvise(memory.data(), memory.bytes(), MADV_POPULATE_WRITE) != 0)
      break;
    if (::write(answers_.get(), &order, 1) != 1) break;
    while (order == kBusy && shared_->busy.load(std::memory_order_relaxed)) {
      shared_->turns.fetch_add(1, std::memory_order_relaxed);
    }
  }
  ::_exit(0);
}

void Neighbour::ask(char order) {
  char answer = 0;
  if (::write(orders_.get(), &order, 1) != 1 || ::read(orders_.get(), &answer, 1) != 1) {
    give_up("the neighbour process is gone: too little memory?");
  }
}

void Neighbour::touch() {
  ask(kTouch);
}

void Neighbour::run_busy() {
  shared_->busy.store(true, std::memory_order_relaxed);
  const std::uint64_t before = shared_->turns.load(std::memory_order_relaxed);
  ask(kBusy);
  while (shared_->turns.load(std::memory_order_relaxed) == before) ::usleep(10);
}

void Neighbour::rest() {
  shared_->busy.store(false, std::memory_order_relaxed);
}

}  // namespace vballoon::perf
