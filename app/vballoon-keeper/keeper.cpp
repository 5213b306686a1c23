// SPDX-License-Identifier: BSD-3-Clause
#include "keeper.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "keep/notice.hpp"
#include "keep/packet.hpp"
#include "keep/store.hpp"

namespace vballoon::keeper {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kFirstPause{100};
constexpr int kNoProgram = 127;
constexpr int kBySignal = 128;

template <typename... Values>
void say(fmt::format_string<Values...> text, Values&&... values) {
  fmt::print(stderr, "vballoon-keeper: {}\n", fmt::format(text, std::forward<Values>(values)...));
}

milliseconds to_ms(double seconds) {
  return milliseconds(static_cast<long>(seconds * 1000));
}

/// Where only its user makes files: the service's own folder, or that of vballoond's socket.
std::string runtime_folder() {
  const char* const of_service = std::getenv("RUNTIME_DIRECTORY");
  if (of_service == nullptr || *of_service == '\0') return default_socket_folder();
  return std::string(of_service).substr(0, std::string_view(of_service).find(':'));
}

sigset_t own_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, signal);
  return set;
}

}  // namespace

Result<int> Keeper::run() {
  // What a service manager hands to the keeper is nobody's.
  (void)keep::Inherited::take();
  if (auto ok = listen(); !ok) return tl::unexpected(ok.error());
  start();
  while (!exit_status_) wait();
  return *exit_status_;
}

/// At a file of its user's, not an abstract name, to which everybody on the host could send.
Result<void> Keeper::listen() {
  const sigset_t set = own_signals();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  notices_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const std::string path =
      fmt::format("{}/{}{}", runtime_folder(), keep::kKeeperSocket, ::getpid());
  if (auto ok = check_socket_path(path); !ok) return ok;
  if (auto ok = provide_socket_folder(path); !ok) return ok;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  ::unlink(path.c_str());  // of a keeper of this number that was killed
  const int yes = 1;
  ::setsockopt(notices_.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
  const MadePrivate own;
  if (::bind(notices_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail(Code::kHost, fmt::format("socket {}: {}", path, std::strerror(errno)));
  }
  notice_file_.emplace(path);
  return {};
}

void Keeper::start() {
  start_at_.reset();
  restarting_ = false;
  started_ = Clock::now();
  daemon_ = ::fork();
  if (daemon_ == 0) become_daemon();
  if (daemon_ < 0) plan_start();
}

void Keeper::become_daemon() const {
  const sigset_t set = own_signals();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  ::setenv("NOTIFY_SOCKET", notice_file_->path().c_str(), 1);
  if (const auto half = manager_.watchdog_interval()) {
    ::setenv("WATCHDOG_USEC", std::to_string(half->count() * 2).c_str(), 1);
  }
  held_.hand_over();
  std::vector<char*> words;
  for (const std::string& word : settings_.daemon) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  say("cannot start {}: {}", words[0], std::strerror(errno));
  ::_exit(kNoProgram);
}

/// What the daemon said before its end is read before its end is seen to.
void Keeper::wait() {
  std::vector<pollfd> wanted{{signals_.get(), POLLIN, 0}, {notices_.get(), POLLIN, 0}};
  for (const int fd : held_.polled()) wanted.push_back({fd, 0, 0});
  const auto left = start_at_.value_or(Clock::now()) - Clock::now();
  const auto left_ms = std::chrono::ceil<milliseconds>(left).count();
  ::poll(wanted.data(), wanted.size(), start_at_ ? static_cast<int>(std::max(left_ms, 0L)) : -1);
  read_signals();
  read_notices();
  for (const pollfd& one : wanted) {
    if ((one.revents & (POLLHUP | POLLERR)) != 0) held_.drop(one.fd);
  }
  if (std::exchange(child_ended_, false)) see_to_end();
  if (start_at_ && Clock::now() >= *start_at_ && !exit_status_) start();
}

void Keeper::read_signals() {
  signalfd_siginfo one{};
  while (::read(signals_.get(), &one, sizeof(one)) == sizeof(one)) {
    obey(static_cast<int>(one.ssi_signo));
  }
}

void Keeper::obey(int signal) {
  if (signal == SIGCHLD) {
    child_ended_ = true;
  } else if (signal == SIGHUP) {
    if (daemon_ > 0) ::kill(daemon_, SIGHUP);
  } else if (signal != SIGUSR1) {
    ending_ = true;
    end_daemon(SIGINT);
  } else if (!restarting_ && !ending_) {
    restarting_ = true;
    end_daemon(SIGTERM);
  }
}

void Keeper::end_daemon(int signal) {
  if (daemon_ > 0) {
    ::kill(daemon_, signal);
  } else if (ending_) {
    exit_status_ = 0;
  } else {
    start_at_ = Clock::now();
  }
}

void Keeper::read_notices() {
  std::array<char, 4096> text{};
  for (;;) {
    iovec part{text.data(), text.size()};
    keep::Packet packet;
    if (keep::receive_packet(notices_.get(), {&part, 1}, 0, &packet) != 0) return;
    if (packet.process != daemon_ || packet.cut) continue;
    const keep::Notice notice = keep::read_notice({text.data(), packet.bytes});
    if (packet.lost) say("'{}' is not kept: no descriptor is free", notice.name);
    held_.obey(notice, packet.descriptors);
    was_ready_ |= notice.ready;
    if (!notice.state.empty()) manager_.send(notice.state);
    if (notice.restart) obey(SIGUSR1);
  }
}

void Keeper::see_to_end() {
  int status = 0;
  if (daemon_ <= 0 || ::waitpid(daemon_, &status, WNOHANG) != daemon_) return;
  daemon_ = -1;
  const bool by_signal = WIFSIGNALED(status);
  const int ended = by_signal ? kBySignal + WTERMSIG(status) : WEXITSTATUS(status);
  if (ending_ || (!restarting_ && (ended == 0 || !was_ready_))) {
    exit_status_ = ended;
    return;
  }
  plan_start();
  say("the daemon ended ({} {}); the next one starts in {} ms",
      by_signal ? "signal" : "exit status", by_signal ? WTERMSIG(status) : ended,
      std::chrono::round<milliseconds>(*start_at_ - Clock::now()).count());
}

void Keeper::plan_start() {
  if (restarting_ || Clock::now() - started_ >= to_ms(settings_.steady_s)) pause_ = {};
  start_at_ = Clock::now() + pause_;
  pause_ = std::min(std::max(kFirstPause, 2 * pause_), to_ms(settings_.longest_pause_s));
}

}  // namespace vballoon::keeper
