// SPDX-License-Identifier: BSD-3-Clause
#include "program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace vballoon::model {
namespace {

constexpr std::chrono::seconds kPatience{20};

bool within_patience(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace

std::string program_in(const char* variable) {
  const char* const path = std::getenv(variable);
  if (path == nullptr) throw std::runtime_error(std::string("set ") + variable + " to its path");
  return path;
}

Program::Program(std::vector<std::string> words, const std::function<void()>& before) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string file = (folder_.path() / "output").string();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves nothing behind
  const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  if (before) before();
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

Program::~Program() {
  if (!ended()) static_cast<void>(end(SIGKILL));
}

std::string Program::output() const {
  std::ostringstream text;
  text << std::ifstream(folder_.path() / "output").rdbuf();
  return text.str();
}

bool Program::says(const std::string& text) {
  bool said = false;
  static_cast<void>(within_patience([&] {
    const bool over = ended();  // before the look, so that its last words count
    said = output().find(text) != std::string::npos;
    return said || over;
  }));
  return said;
}

Ended Program::end(int signal) {
  if (signal != 0 && !ended()) ::kill(pid_, signal);
  if (!within_patience([this] { return ended(); })) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  const bool by_itself = WIFEXITED(wait_status_);
  return {by_itself ? WEXITSTATUS(wait_status_) : -1, output()};
}

bool Program::ended() {
  if (pid_ > 0 && ::waitpid(pid_, &wait_status_, WNOHANG) == pid_) pid_ = -1;
  return pid_ < 0;
}

}  // namespace vballoon::model
