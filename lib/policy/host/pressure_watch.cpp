// SPDX-License-Identifier: BSD-3-Clause
#include "policy/host/pressure_watch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vballoon::policy {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr microseconds kShortestWindow = milliseconds(500);
constexpr microseconds kLongestWindow = std::chrono::seconds(10);

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

/// Says what an errno of these files means to the operator.
tl::unexpected<Status> refuse(const std::string& what, int error) {
  switch (error) {
    case ENOENT:
    case EOPNOTSUPP:
      return fail(Code::kUnavailable,
                  fmt::format("{} is not there: this kernel has no PSI, or it is off (boot with "
                              "psi=1)",
                              what));
    case EINVAL:
      return fail(Code::kUnavailable,
                  fmt::format("the kernel takes no such trigger at {}; without CAP_SYS_RESOURCE "
                              "the window must be a multiple of 2 s",
                              what));
    case EPERM:
    case EACCES:
    case EROFS:
      return fail(Code::kUnavailable,
                  fmt::format("may not write to {}: {}; let the daemon's user write there, and its "
                              "unit (ProtectControlGroups=no)",
                              what, std::strerror(error)));
    default:
      return fail(Code::kHost, fmt::format("{}: {}", what, std::strerror(error)));
  }
}

Result<void> check(const PressureWatch::Options& options) {
  if (options.window < kShortestWindow || options.window > kLongestWindow) {
    return fail(Code::kInvalidArgument,
                fmt::format("a PSI window of {} ms; the kernel takes 500 to 10000",
                            duration_cast<milliseconds>(options.window).count()));
  }
  if (options.stall <= microseconds(0) || options.stall > options.window) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} ms of stall within a PSI window of {} ms; give more than 0 and no "
                            "more than the window",
                            duration_cast<milliseconds>(options.stall).count(),
                            duration_cast<milliseconds>(options.window).count()));
  }
  return {};
}

std::string_view mode_of(PressureReach reach) noexcept {
  switch (reach) {
    case PressureReach::kHierarchy:
      return ",hierarchy";
    case PressureReach::kLocal:
      return ",local";
    case PressureReach::kDefault:
      break;
  }
  return "";
}

/// The kernel takes the text in one write. /proc/pressure overwrites the last byte with a zero, so
/// the terminating zero has to come along.
bool write_whole(int fd, const std::string& text) noexcept {
  const ssize_t put = ::write(fd, text.c_str(), text.size() + 1);
  return put == static_cast<ssize_t>(text.size() + 1);
}

}  // namespace

std::string_view to_string(PressureLevel level) noexcept {
  switch (level) {
    case PressureLevel::kMedium:
      return "medium";
    case PressureLevel::kCritical:
      return "critical";
    case PressureLevel::kLow:
      break;
  }
  return "low";
}

Result<PressureWatch> PressureWatch::open_psi(const Options& options, Kind kind,
                                              const std::string& file) {
  if (auto sound = check(options); !sound) return tl::unexpected(std::move(sound.error()));
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return refuse(file, errno);
  const std::string trigger =
      fmt::format("some {} {}", options.stall.count(), options.window.count());
  if (!write_whole(fd.get(), trigger)) return refuse(file, errno);
  return PressureWatch(kind, std::move(fd),
                       fmt::format("PSI of {}: {} ms of stall within {} ms",
                                   kind == Kind::kSystemPsi ? "the machine" : options.cgroup,
                                   duration_cast<milliseconds>(options.stall).count(),
                                   duration_cast<milliseconds>(options.window).count()));
}

Result<PressureWatch> PressureWatch::open_level(const Options& options) {
  const std::string& folder = options.cgroup;
  UniqueFd alive(::open((folder + "/memory.usage_in_bytes").c_str(), O_RDONLY | O_CLOEXEC));
  if (!alive.valid()) return refuse(folder + "/memory.usage_in_bytes", errno);
  // The kernel needs these two descriptors only during the write.
  const std::string level_file = folder + "/memory.pressure_level";
  const UniqueFd level(::open(level_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!level.valid()) return refuse(level_file, errno);
  const std::string control_file = folder + "/cgroup.event_control";
  const UniqueFd control(::open(control_file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!control.valid()) return refuse(control_file, errno);
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.valid()) return fail(Code::kHost, fmt::format("eventfd: {}", std::strerror(errno)));
  const std::string request = fmt::format("{} {} {}{}", fd.get(), level.get(),
                                          to_string(options.level), mode_of(options.reach));
  if (!write_whole(control.get(), request)) return refuse(control_file, errno);
  PressureWatch watch(
      Kind::kCgroupLevel, std::move(fd),
      fmt::format("memory.pressure_level of {}: {}", folder, to_string(options.level)));
  watch.alive_ = std::move(alive);
  return watch;
}

Result<PressureWatch> PressureWatch::open(const Options& options) {
  if (options.cgroup.empty()) {
    return open_psi(options, Kind::kSystemPsi, options.paths.proc + "/pressure/memory");
  }
  const std::string& folder = options.cgroup;
  if (!exists(folder)) {
    return fail(Code::kNotFound,
                fmt::format("there is no cgroup {}; make it, or correct policy.cgroup", folder));
  }
  if (exists(folder + "/memory.pressure_level")) return open_level(options);
  if (exists(folder + "/cgroup.controllers")) {
    return open_psi(options, Kind::kCgroupPsi, folder + "/memory.pressure");
  }
  return fail(Code::kInvalidArgument,
              fmt::format("{} is no cgroup that tells of memory pressure: it has neither "
                          "memory.pressure_level nor memory.pressure",
                          folder));
}

short PressureWatch::events() const noexcept {
  return kind_ == Kind::kCgroupLevel ? POLLIN : POLLPRI;
}

PressureWatch::Taken PressureWatch::take() noexcept {
  if (kind_ != Kind::kCgroupLevel) {
    pollfd one{fd_.get(), POLLPRI, 0};
    const bool gone = ::poll(&one, 1, 0) > 0 && (one.revents & POLLERR) != 0;
    return gone ? Taken{0, true} : Taken{1, false};
  }
  std::uint64_t events = 0;
  if (::read(fd_.get(), &events, sizeof(events)) != sizeof(events)) events = 0;
  // The kernel signals the removal of the cgroup as a last event.
  char digit = 0;
  if (::pread(alive_.get(), &digit, 1, 0) < 0 && errno == ENODEV) return Taken{0, true};
  return Taken{events, false};
}

}  // namespace vballoon::policy
