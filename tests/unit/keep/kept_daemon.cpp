// SPDX-License-Identifier: BSD-3-Clause
//
// kept-daemon FOLDER - a daemon that does what FOLDER/plan says, a line a start, and tells it to
//                      FOLDER/log. Without a line left it waits to be ended.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "keep/bag.hpp"
#include "keep/notifier.hpp"
#include "keep/store.hpp"

namespace {

using namespace vballoon;

UniqueFd file_with(const std::string& text) {
  UniqueFd fd(::memfd_create("kept", MFD_CLOEXEC));
  if (::pwrite(fd.get(), text.data(), text.size(), 0) < 0) ::_exit(99);
  return fd;
}

std::string text_in(int fd) {
  std::array<char, 64> text{};
  const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
  return {text.data(), static_cast<std::size_t>(got < 0 ? 0 : got)};
}

class Daemon {
 public:
  explicit Daemon(std::filesystem::path folder)
      : folder_(std::move(folder)), inherited_(keep::Inherited::take()) {
    tell(fmt::format("start: {}", fmt::join(inherited_.names(), " ")));
  }

  void carry_out(const std::string& word) {
    const std::string verb = word.substr(0, word.find(':'));
    const std::string what = verb.size() < word.size() ? word.substr(verb.size() + 1) : "";
    if (verb == "ready") notifier_.send("READY=1\nSTATUS=well\nSTOPPING=1\nMAINPID=1");
    if (verb == "store") add(what, file_with(what));
    if (verb == "remove") store_.remove(what);
    if (verb == "settle") tell(store_.settle(std::chrono::seconds(5)) ? "settled" : "unsettled");
    if (verb == "take") take(what);
    if (verb == "discard") store_.discard(std::exchange(inherited_, {}));
    if (verb == "polled" || verb == "unpolled") store_pipe(what, verb == "polled");
    if (verb == "bag") store_bag(what);
    if (verb == "look") look_into_bag();
    if (verb == "pid") tell(fmt::format("pid {}", ::getpid()));
    if (verb == "watchdog") tell(fmt::format("watchdog {}", interval_ms()));
    if (verb == "ask") notifier_.send("X_VBALLOON_RESTART=1");
    if (verb == "crash") ::raise(SIGKILL);
    if (verb == "exit") ::_exit(std::stoi(what));
  }

  [[nodiscard]] int wait_for_the_end() const {
    for (;;) {
      int signal = 0;
      ::sigwait(&signals(), &signal);
      tell(signal == SIGHUP ? "hup" : "term");
      if (signal != SIGHUP) return 0;
    }
  }

  static const sigset_t& signals() {
    static const sigset_t set = [] {
      sigset_t both;
      sigemptyset(&both);
      sigaddset(&both, SIGHUP);
      sigaddset(&both, SIGTERM);
      sigaddset(&both, SIGINT);
      return both;
    }();
    return set;
  }

 private:
  void tell(const std::string& line) const {
    std::ofstream(folder_ / "log", std::ios::app) << line << std::endl;
  }

  void add(const std::string& name, const UniqueFd& fd) {
    if (const auto done = store_.add(name, fd.get()); !done) tell(done.error().message);
  }

  void take(const std::string& name) {
    const auto fd = inherited_.take(name);
    tell(fmt::format("{} = {}", name, fd ? text_in(fd->get()) : "none"));
  }

  /// Its other end goes with this process.
  void store_pipe(const std::string& name, bool polled) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) ::_exit(99);
    const std::string text =
        fmt::format("FDSTORE=1\nFDNAME={}{}", name, polled ? "" : "\nFDPOLL=0");
    (void)notifier_.send_with(text, {ends.data(), 1});
  }

  void store_bag(const std::string& record) {
    auto bag = keep::Bag::make();
    const UniqueFd file = file_with("in the bag");
    (void)bag->put(std::as_bytes(std::span(record)), std::array{file.get()});
    add("bag.in", UniqueFd::duplicate(bag->in()));
    add("bag.out", UniqueFd::duplicate(bag->out()));
  }

  void look_into_bag() {
    auto bag = keep::Bag::adopt(*inherited_.take("bag.in"), *inherited_.take("bag.out"));
    const auto found = bag->look();
    const auto& record = (**found).record;
    tell(fmt::format("{}, {}",
                     std::string_view(reinterpret_cast<const char*>(record.data()), record.size()),
                     text_in((**found).descriptors[0].get())));
  }

  [[nodiscard]] long interval_ms() const {
    const auto interval = notifier_.watchdog_interval();
    return interval ? interval->count() / 1000 : -1;
  }

  std::filesystem::path folder_;
  keep::Notifier notifier_;
  keep::Store store_{notifier_};
  keep::Inherited inherited_;
};

/// The first line, which is gone then.
std::string next_line(const std::filesystem::path& plan) {
  std::ifstream file(plan);
  std::string first;
  std::getline(file, first);
  std::stringstream rest;
  rest << file.rdbuf();
  std::ofstream(plan) << rest.str();
  return first;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 98;
  ::sigprocmask(SIG_BLOCK, &Daemon::signals(), nullptr);
  Daemon daemon(argv[1]);
  std::istringstream words(next_line(std::filesystem::path(argv[1]) / "plan"));
  for (std::string word; words >> word;) daemon.carry_out(word);
  return daemon.wait_for_the_end();
}
