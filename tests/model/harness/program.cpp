// SPDX-License-Identifier: BSD-3-Clause
#include "program.hpp"

#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "driver/deadline.hpp"

namespace vballoon::model {
namespace {

constexpr std::chrono::seconds kPatience{20};

}  // namespace

std::string program_in(const char* variable) {
  const char* const path = std::getenv(variable);
  if (path == nullptr) throw std::runtime_error(std::string("set ") + variable + " to its path");
  return path;
}

Program::Program(std::vector<std::string> words, const std::function<void()>& before) {
  const auto started = process_.start(std::move(words), folder_.path() / "output", before);
  if (!started) throw std::runtime_error(started.error().message);
}

std::string Program::output() const {
  return driver::text_of(folder_.path() / "output");
}

bool Program::says(const std::string& text) {
  const driver::Deadline deadline(kPatience);
  for (;;) {
    const bool over = !process_.running();  // before the look, so that its last words count
    if (output().find(text) != std::string::npos) return true;
    if (over || deadline.passed()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Ended Program::end(int signal) {
  if (signal != 0) process_.send(signal);
  if (!process_.wait(kPatience)) process_.kill();
  const auto status = process_.wait_status();
  const bool by_itself = status && WIFEXITED(*status);
  return {by_itself ? WEXITSTATUS(*status) : -1, output()};
}

}  // namespace vballoon::model
