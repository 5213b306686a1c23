// SPDX-License-Identifier: BSD-3-Clause
#include "run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "hostile.hpp"

namespace vballoon::soak {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Of what is resident and no guest's. A sanitizer (the daemon has the same) keeps what is freed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kMaxGrowth = kGiB;
#else
constexpr std::uint64_t kMaxGrowth = 8 * kMiB;
#endif
constexpr double kMaxRatio = 3;
/// What the log gates let through: of each device 5 notes and 5 warnings in 10 s, each with a line
/// that counts those left out, and 8 lines a second of DPDK's.
constexpr std::uint64_t kLinesADeviceAndSecond = 2;
constexpr std::uint64_t kDpdkLinesASecond = 8;
constexpr milliseconds kBetween{1};  // two turns of the honest VM
constexpr seconds kSettle{120};
constexpr seconds kLongestQuiet{60};
constexpr seconds kShortestQuiet{3};

double us(std::uint64_t ns) {
  return static_cast<double>(ns) / 1000;
}

void say(const std::string& line) {
  std::fprintf(stderr, "  %s\n", line.c_str());
}

}  // namespace

Run::Run(const Options& options)
    : options_(options), daemon_(options.daemon, options.drivers, options.lcores) {
  daemon_.wait_until_ready();
  std::vector<std::string> sockets;
  for (unsigned i = 1; i <= options.drivers; ++i) sockets.push_back(daemon_.socket(i));
  crew_.emplace(sockets, options.seed, *shared_);
  const auto shown = daemon_.show(0);
  if (!shown) throw std::runtime_error("vballoond does not show its devices");
  honest_.emplace(daemon_.socket(0),
                  RunDelay::of_lcore(daemon_.pid(), shown->at("lcore").get<unsigned>()));
}

std::vector<std::string> Run::go() {
  const seconds quiet = std::clamp(options_.storm / 10, kShortestQuiet, kLongestQuiet);
  settle("first");
  spend("quiet", quiet, &quiet_before_);
  before_ = daemon_.usage();
  crew_->tell(Phase::kStorm);
  spend("storm", options_.storm, &storm_);
  crew_->tell(Phase::kQuiet);
  settle("second");
  spend("quiet again", quiet, &quiet_after_);
  look();
  alive_ = daemon_.alive();
  after_ = daemon_.usage();
  honest_->check_all();
  note_usage("soak.start", before_);
  note_usage("soak.end", after_);
  note_waits("soak.quiet_before", quiet_before_);
  note_waits("soak.storm", storm_);
  note_waits("soak.quiet_after", quiet_after_);
  note_actions();
  return judge();
}

void Run::settle(const char* name) {
  const auto end = Clock::now() + kSettle;
  Waits nobodys;
  while (!crew_->settled() && Clock::now() < end && daemon_.alive()) {
    honest_->turn(&nobodys);
    std::this_thread::sleep_for(kBetween);
  }
  settled_ = settled_ && crew_->settled();
  if (crew_->settled()) return;
  say(fmt::format("{}: only {} drivers are connected", name, shared_->settled.load()));
}

void Run::spend(const char* name, seconds time, Waits* waits) {
  say(fmt::format("{}: {} s", name, time.count()));
  const auto end = Clock::now() + time;
  while (Clock::now() < end && daemon_.alive()) {
    honest_->turn(waits);
    std::this_thread::sleep_for(kBetween);
    if (Clock::now() >= next_look_) look();
  }
}

void Run::look() {
  next_look_ = Clock::now() + seconds(1);
  const std::uint64_t so_far = faults();
  honest_->check_all();
  look_at_devices();
  crew_whole_ = !crew_->lost_one() && crew_whole_;
  if (daemon_.alive() && honest_->changed_pages() == 0 && honest_->violations() == 0) {
    survived_ = so_far;
  }
  if (daemon_.alive() && Clock::now() - began_ >= (minutes_ + 1) * seconds(60)) note_minute();
}

void Run::look_at_devices() {
  const auto begin = Clock::now();
  const auto devices = daemon_.list();
  const std::chrono::nanoseconds took = Clock::now() - begin;
  if (!devices) {
    ++no_answers_;
    return;
  }
  operator_waits_.record(static_cast<std::uint64_t>(took.count()));
  std::set<std::string> broken;
  for (const rpc::Json& device : devices->at("devices")) {
    if (device.at("state") == "broken") broken.insert(device.at("name").get<std::string>());
  }
  breaks_ += static_cast<std::uint64_t>(std::count_if(
      broken.begin(), broken.end(), [this](const auto& name) { return !broken_.contains(name); }));
  broken_ = std::move(broken);
}

void Run::note_minute() {
  ++minutes_;
  const Usage now = daemon_.usage();
  note_usage(fmt::format("soak.minute{:02}", minutes_), now);
  const auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / kMiB; };
  say(
      fmt::format("minute {}: resident {:.1f} MiB, of DPDK {:.1f}, of guests {:.1f}; {} threads, "
                  "{} files, {} log lines; {} faults; p99 {:.0f} us quiet, {:.0f} us in the storm",
                  minutes_, mib(now.resident.own), mib(now.resident.dpdk), mib(now.resident.guest),
                  now.threads, now.files, now.log_lines, faults(),
                  us(quiet_before_.inflate.quantile(0.99)), us(storm_.inflate.quantile(0.99))));
}

void Run::note_usage(const std::string& name, const Usage& usage) {
  figures_[name + ".own_bytes"] = static_cast<double>(usage.resident.own);
  figures_[name + ".dpdk_bytes"] = static_cast<double>(usage.resident.dpdk);
  figures_[name + ".guest_bytes"] = static_cast<double>(usage.resident.guest);
  figures_[name + ".threads"] = static_cast<double>(usage.threads);
  figures_[name + ".files"] = static_cast<double>(usage.files);
  figures_[name + ".log_lines"] = static_cast<double>(usage.log_lines);
}

void Run::note_waits(const std::string& name, const Waits& waits) {
  const auto note = [&](const char* what, const driver::Histogram& histogram) {
    const std::string key = fmt::format("{}.{}", name, what);
    figures_[key + ".count"] = static_cast<double>(histogram.count());
    figures_[key + ".p50_us"] = us(histogram.quantile(0.50));
    figures_[key + ".p99_us"] = us(histogram.quantile(0.99));
    figures_[key + ".max_us"] = us(histogram.max());
  };
  note("ack", waits.inflate);
  note("ack_on_cpu", waits.inflate_on_cpu);
  note("deflate", waits.deflate);
  note("config", waits.config);
}

void Run::note_actions() {
  const auto kinds = action_kinds();
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const std::string key = fmt::format("soak.action.{}", kinds[i].name);
    figures_[key] = static_cast<double>(shared_->actions[i].done.load());
    figures_[key + ".refused"] = static_cast<double>(shared_->actions[i].refused.load());
  }
  figures_["soak.drivers"] = options_.drivers;
  figures_["soak.seconds"] = static_cast<double>(options_.storm.count());
  figures_["soak.faults"] = static_cast<double>(faults());
  figures_["soak.faults_survived"] = static_cast<double>(survived_);
  figures_["soak.healed"] = static_cast<double>(shared_->healed.load());
  figures_["soak.not_healed"] = static_cast<double>(shared_->not_healed.load());
  figures_["soak.unreachable"] = static_cast<double>(shared_->unreachable.load());
  figures_["soak.breaks_seen"] = static_cast<double>(breaks_);
  figures_["soak.honest.buffers"] = static_cast<double>(honest_->buffers());
  figures_["soak.honest.pages_checked"] = static_cast<double>(honest_->checked_pages());
  figures_["soak.honest.pages_changed"] = static_cast<double>(honest_->changed_pages());
  figures_["soak.honest.violations"] = static_cast<double>(honest_->violations());
  figures_["soak.operator.p99_us"] = us(operator_waits_.quantile(0.99));
  figures_["soak.operator.max_us"] = us(operator_waits_.max());
  figures_["soak.operator.no_answers"] = static_cast<double>(no_answers_);
  figures_["soak.ack_ratio"] = ratio(&Waits::inflate);
  figures_["soak.ack_on_cpu_ratio"] = ratio(&Waits::inflate_on_cpu);
}

std::uint64_t Run::faults() const {
  const auto kinds = action_kinds();
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (kinds[i].fault) sum += shared_->actions[i].done.load(std::memory_order_relaxed);
  }
  return sum;
}

/// What the storm makes of the 99th percentile before and after it.
double Run::ratio(driver::Histogram Waits::*of) const {
  driver::Histogram quiet = quiet_before_.*of;
  quiet.merge(quiet_after_.*of);
  const double calm = us(quiet.quantile(0.99));
  return calm == 0 ? 0 : us((storm_.*of).quantile(0.99)) / calm;
}

std::vector<std::string> Run::judge() const {
  std::vector<std::string> wrong;
  const auto unless = [&wrong](bool good, std::string what) {
    if (!good) wrong.push_back(std::move(what));
  };
  const auto lived = static_cast<std::uint64_t>(
      std::chrono::duration_cast<seconds>(Clock::now() - began_).count());
  if (!alive_) return {"the daemon died; it said:\n" + daemon_.last_words()};
  unless(crew_whole_, "a process of hostile drivers ended by itself");
  unless(settled_, "not every driver was served when it asked politely");
  unless(honest_->changed_pages() == 0,
         fmt::format("{} pages of the honest VM changed", honest_->changed_pages()));
  unless(honest_->violations() == 0,
         fmt::format("the honest VM lost or got {} buffers or answers it should not: {}",
                     honest_->violations(), honest_->first_complaint()));
  // A VM in whose memory an lcore stood still has a thread of its own for 10 s, with one file.
  const auto own_threads = after_.threads - std::min(after_.threads, before_.threads);
  unless(after_.files <= before_.files + own_threads,
         fmt::format("{} open files became {}:{}", before_.files, after_.files,
                     more_files(before_, after_)));
  unless(own_threads <= options_.drivers,
         fmt::format("{} threads became {}", before_.threads, after_.threads));
  unless(after_.resident.own <= before_.resident.own + kMaxGrowth,
         fmt::format("{} resident bytes became {}", before_.resident.own, after_.resident.own));
  const std::uint64_t lines =
      (kLinesADeviceAndSecond * (options_.drivers + 1) + kDpdkLinesASecond) * (lived + 10);
  unless(after_.log_lines - before_.log_lines <= lines,
         fmt::format("{} lines were logged in {} s", after_.log_lines - before_.log_lines, lived));
  unless(shared_->not_healed == 0,
         fmt::format("{} times a reset did not heal", shared_->not_healed.load()));
  unless(shared_->unreachable == 0,
         fmt::format("{} times a new connection was not served", shared_->unreachable.load()));
  unless(no_answers_ == 0, fmt::format("{} of the operator's calls had no answer", no_answers_));
  const double ratio = this->ratio(&Waits::inflate);
  unless(!options_.judge_latency || ratio <= kMaxRatio,
         fmt::format("p99 of the acknowledgement is {:.2f} times as long in the storm; less what "
                     "was spent waiting for a cpu, {:.2f} times",
                     ratio, this->ratio(&Waits::inflate_on_cpu)));
  return wrong;
}

}  // namespace vballoon::soak
