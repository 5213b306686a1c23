// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/eal.hpp"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_version.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "lcore/eal_clock.hpp"
#include "lcore/eal_log.hpp"
#include "lcore/huge_page_advice.hpp"

namespace vballoon::lcore {
namespace {

static_assert(kMaxLcores <= RTE_MAX_LCORE);

/// Threads that EAL starts inherit the mask. So only the control thread takes the operator's
/// signals, and none interrupts a poll lcore.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t operators;
    sigemptyset(&operators);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&operators, signal);
    pthread_sigmask(SIG_BLOCK, &operators, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

/// From DPDK 25.11 on rte_eal_init() calls exit(3) when it does not know an option. While an object
/// of this class lives, such an exit ends the process as any other configuration error does.
class EndOfEal {
 public:
  using Say = std::function<Status()>;
  explicit EndOfEal(Say say) {
    static const int registered = std::atexit(at_exit);
    static_cast<void>(registered);
    say_ = std::move(say);
  }
  ~EndOfEal() { say_ = nullptr; }
  EndOfEal(const EndOfEal&) = delete;
  EndOfEal& operator=(const EndOfEal&) = delete;

 private:
  static void at_exit() {
    if (say_ == nullptr) return;
    const Status why = say_();
    fmt::print(stderr, "vballoond: {}\n", why.message);
    ::_exit(why.code == Code::kInvalidArgument ? 2 : 1);  // see vballoond(8)
  }
  static inline Say say_;
};

Status args_refused(const LcoreSettings& settings, const std::string& reason) {
  return {Code::kInvalidArgument, fmt::format("eal.args: DPDK does not start with \"{}\": {}",
                                              fmt::join(settings.eal_args, " "), reason)};
}

std::string way_out(const LcoreSettings& settings) {
  if (settings.no_huge) return "";
  const std::string advice = huge_page_advice(settings.memory_mib, default_huge_page_kib());
  if (advice.empty()) return "";
  return fmt::format("; {}; or set eal.no_huge = true, or try --dev", advice);
}

}  // namespace

/// Must exist before rte_eal_init(), which then logs to this stream instead of its own and syslog.
struct Eal::LogStream {
  explicit LogStream(ReadableLine readable) : lines(readable), file(open_eal_stream(&lines)) {
    if (file != nullptr) rte_openlog_stream(file);
  }
  ~LogStream() {
    rte_openlog_stream(nullptr);
    if (file != nullptr) std::fclose(file);
  }
  EalLines lines;
  std::FILE* file;
};

/// A body for an lcore. EAL calls run() there.
struct Eal::Launch {
  Launch(unsigned on, std::function<void()> what) : lcore(on), body(std::move(what)) {}
  static int run(void* launch) {
    auto& self = *static_cast<Launch*>(launch);
    self.body();
    self.over.store(true, std::memory_order_release);
    return 0;
  }
  unsigned lcore;
  std::function<void()> body;
  std::atomic<bool> over{};
};

std::string eal_version() {
  return rte_version();
}

Eal::Eal(ReadableLine readable) : log_(std::make_unique<LogStream>(readable)) {}

Result<std::unique_ptr<Eal>> Eal::start(const LcoreSettings& settings, const LcorePlan& plan,
                                        Blame blame, ReadableLine readable) {
  // EAL gives its own threads the cpus of the process less the cpus of all lcores. These would be
  // the neighbours' cpus. So the process is first confined to the main lcore's cpus: nothing is
  // left over then, and for that case EAL takes the main lcore's.
  if (!lcore::stay_on(plan.main.cpus)) {
    return fail(Code::kHost,
                fmt::format("the kernel does not let the control thread run on cpu {}: "
                            "{}",
                            lcore::format_cpu_list(plan.main.cpus), std::strerror(errno)));
  }
  std::unique_ptr<Eal> eal(new Eal(readable));
  std::vector<std::string> args = eal_arguments(settings, plan);
  log::debug("eal: {}", fmt::join(args, " "));
  std::vector<char*> argv;
  argv.reserve(args.size());
  for (std::string& arg : args) argv.push_back(arg.data());
  {
    const SignalsBlocked during_start;
    // With arguments of the operator's EAL may be asked for times: its trace has them.
    const ShortClockSleep clock_is_unused(settings.eal_args.empty());
    const EndOfEal ended([&settings, &eal, &blame] {
      const std::string reason = eal->log_->lines.last_error();
      if (!settings.eal_args.empty()) return blame(args_refused(settings, reason));
      return Status{Code::kHost, fmt::format("DPDK does not start: {}", reason)};
    });
    eal->started_ = rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
  }
  if (eal->started_) return eal;

  const int error = rte_errno;
  std::string reason = eal->log_->lines.last_error();
  if (reason.empty()) reason = rte_strerror(error);
  if (reason.ends_with('.')) reason.pop_back();
  if (error == EINVAL && !settings.eal_args.empty()) {
    return tl::unexpected(blame(args_refused(settings, reason)));
  }
  return fail(Code::kHost, fmt::format("DPDK does not start: {}{}", reason, way_out(settings)));
}

Eal::~Eal() {
  wait();
  if (started_) rte_eal_cleanup();
}

Result<void> Eal::launch(unsigned lcore, std::function<void()> body) {
  auto launch = std::make_unique<Launch>(lcore, std::move(body));
  if (const int refused = rte_eal_remote_launch(Launch::run, launch.get(), lcore); refused != 0) {
    return fail(Code::kHost,
                fmt::format("lcore {} cannot be used: {}", lcore, rte_strerror(-refused)));
  }
  launches_.push_back(std::move(launch));
  return {};
}

void Eal::wait() {
  for (const auto& launch : launches_) {
    rte_eal_wait_lcore(launch->lcore);
    // Makes what the body did visible to this thread. EAL orders that itself, but ThreadSanitizer
    // cannot see how.
    static_cast<void>(launch->over.load(std::memory_order_acquire));
  }
  launches_.clear();
}

}  // namespace vballoon::lcore
