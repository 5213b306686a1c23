// SPDX-License-Identifier: BSD-3-Clause
#include "crew.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <span>
#include <stdexcept>
#include <thread>

#include "hostile.hpp"

namespace vballoon::soak {
namespace {

constexpr std::size_t kDriversAProcess = 16;

/// Where there are two cpus for everything, the drivers get what the daemon and the honest VM leave
/// over, as if they ran on cpus of their own. Their requests are as many as they get to make.
void stand_back() {
  const sched_param none{};
  ::sched_setscheduler(0, SCHED_IDLE, &none);
}

/// A driver's life, until the parent ends it.
void live(const std::string& socket, std::uint64_t seed, Shared& shared) {
  Hostile hostile(socket, seed, shared);
  const auto phase = [&shared] { return shared.phase.load(std::memory_order_acquire); };
  const auto sleep = [](unsigned ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  };
  while (phase() != Phase::kEnd) {
    hostile.settle();
    shared.settled.fetch_add(1, std::memory_order_release);
    while (phase() == Phase::kQuiet) sleep(20);
    while (phase() == Phase::kStorm) {
      for (unsigned i = hostile.burst(); i > 0 && phase() == Phase::kStorm; --i) hostile.act();
      sleep(hostile.pause_ms());
    }
  }
}

void live_together(std::span<const std::string> sockets, std::uint64_t seed, Shared& shared) {
  stand_back();
  std::vector<std::jthread> threads;
  for (const std::string& socket : sockets) {
    threads.emplace_back([&socket, seed, &shared] { live(socket, seed, shared); });
    ++seed;
  }
}

}  // namespace

void Unmap::operator()(Shared* shared) const noexcept {
  ::munmap(shared, sizeof(Shared));
}

std::unique_ptr<Shared, Unmap> make_shared_page() {
  void* const bytes =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (bytes == MAP_FAILED) throw std::runtime_error("mmap failed");
  return std::unique_ptr<Shared, Unmap>(new (bytes) Shared);
}

Crew::Crew(const std::vector<std::string>& sockets, std::uint64_t seed, Shared& shared)
    : shared_(shared), drivers_(static_cast<unsigned>(sockets.size())) {
  for (std::size_t first = 0; first < sockets.size(); first += kDriversAProcess) {
    const std::size_t count = std::min(kDriversAProcess, sockets.size() - first);
    const pid_t process = ::fork();
    if (process < 0) throw std::runtime_error("fork failed");
    if (process == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      live_together(std::span(sockets).subspan(first, count), seed * 1000 + first, shared);
      ::_exit(0);
    }
    processes_.push_back(process);
  }
}

void Crew::tell(Phase phase) {
  shared_.settled.store(0, std::memory_order_relaxed);
  shared_.phase.store(phase, std::memory_order_release);
}

bool Crew::settled() const {
  return shared_.settled.load(std::memory_order_acquire) == drivers_;
}

bool Crew::lost_one() {
  for (pid_t& process : processes_) {
    int status = 0;
    if (process > 0 && ::waitpid(process, &status, WNOHANG) == process) {
      process = -1;
      return true;
    }
  }
  return false;
}

/// They may be in the middle of a wait of seconds.
Crew::~Crew() {
  tell(Phase::kEnd);
  for (const pid_t process : processes_) {
    if (process <= 0) continue;
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
  }
}

}  // namespace vballoon::soak
