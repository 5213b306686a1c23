// SPDX-License-Identifier: BSD-3-Clause
#include "driver/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "driver/deadline.hpp"

namespace vballoon::driver {
namespace {

[[noreturn]] void become(const std::vector<char*>& arguments, const char* output,
                         const std::function<void()>& before) {
  const int out = ::open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  if (before) before();
  // Behind `before`: a change of user forgets it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

Result<void> ChildProcess::start(std::vector<std::string> words,
                                 const std::filesystem::path& output,
                                 const std::function<void()>& before) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  wait_status_.reset();
  pid_ = ::fork();
  if (pid_ == 0) become(arguments, output.c_str(), before);
  if (pid_ > 0) return {};
  return fail(Code::kHost, fmt::format("{}: no new process: {}", words[0], std::strerror(errno)));
}

bool ChildProcess::running() {
  int status = 0;
  if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = -1;
    wait_status_ = status;
  }
  return pid_ > 0;
}

bool ChildProcess::wait(std::chrono::milliseconds patience) {
  const Deadline deadline(patience);
  while (running()) {
    if (deadline.passed()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void ChildProcess::send(int signal) noexcept {
  if (pid_ > 0) ::kill(pid_, signal);
}

void ChildProcess::kill() noexcept {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string ChildProcess::ending() const {
  if (!wait_status_) return {};
  const int status = *wait_status_;
  return WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                             : fmt::format("exit status {}", WEXITSTATUS(status));
}

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace vballoon::driver
