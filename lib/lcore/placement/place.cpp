// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/placement/place.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vballoon::lcore {
namespace {

constexpr unsigned kCpuBound = 1024;

template <typename... Args>
tl::unexpected<Status> refuse(fmt::format_string<Args...> text, Args&&... args) {
  return fail(Code::kInvalidArgument, fmt::format(text, std::forward<Args>(args)...));
}

/// Chooses cpus for one machine and one set of wishes.
class Chooser {
 public:
  Chooser(const Topology& topology, const Cpus& cpus, const Wishes& wishes)
      : topology_(topology), cpus_(cpus), wishes_(wishes), taken_(wishes.neighbours) {
    if (wishes.control) taken_.push_back(*wishes.control);
    if (wishes.reclaim) taken_.insert(taken_.end(), wishes.reclaim->begin(), wishes.reclaim->end());
  }

  std::vector<Seat> poll() {
    if (!wishes_.poll.empty()) return named(wishes_.poll, "poll.lcores names it");
    if (wishes_.may_float) return {};
    std::vector<Seat> seats;
    CpuList nodes;
    for (const unsigned cpu : free_isolated({})) {
      const unsigned node = topology_.where(cpu).node;
      if (contains(nodes, node)) continue;
      nodes.push_back(node);
      seats.push_back(seat(cpu, fmt::format("the first free isolated cpu of node {}", node)));
    }
    if (seats.empty()) {
      const CpuList free = off_neighbours(without(cpus_.allowed, taken_));
      // With one cpu for everything there is no choice.
      if (!free.empty() && cpus_.allowed.size() > 1) {
        seats.push_back(seat(free.back(), "the last cpu that is free; none is isolated"));
      }
    }
    take(seats);
    return seats;
  }

  std::vector<Seat> reclaim(const std::vector<Seat>& poll) {
    if (wishes_.reclaim) return named(*wishes_.reclaim, "reclaim.lcores names it");
    if (wishes_.may_float || poll.empty()) return {};
    std::vector<Seat> seats;
    for (const Seat& poller : poll) {
      const CpuList isolated = free_isolated({poller.cpu});
      const auto near = std::find_if(isolated.begin(), isolated.end(), [&](unsigned cpu) {
        return topology_.where(cpu).node == poller.node;
      });
      if (near == isolated.end()) continue;
      seats.push_back(seat(
          *near, fmt::format("isolated, on node {} with poll lcore {}", poller.node, poller.cpu)));
      taken_.push_back(*near);
    }
    if (seats.empty()) seats = spare(poll);
    take(seats);
    return seats;
  }

 private:
  /// A reclaim lcore on a cpu that is not isolated, if enough of such cpus are left.
  std::vector<Seat> spare(const std::vector<Seat>& poll) {
    constexpr std::size_t kLeft = 2;
    CpuList free = off_neighbours(without(cpus_.allowed, taken_));
    if (free.size() <= kLeft) return {};
    const auto on_node = [&](unsigned cpu) {
      return topology_.where(cpu).node == poll.front().node;
    };
    std::stable_partition(free.begin(), free.end(), [&](unsigned cpu) { return !on_node(cpu); });
    return {seat(free.back(), "the last cpu that is free, with others to spare; none is isolated")};
  }

  /// Sorts the cpus that share a core with a neighbour or with `also` behind the others, or before
  /// them where the caller takes the last cpu.
  CpuList off_neighbours(CpuList cpus, bool last_is_best = true, const CpuList& also = {}) {
    CpuList shy = wishes_.neighbours;
    shy.insert(shy.end(), also.begin(), also.end());
    std::stable_partition(cpus.begin(), cpus.end(), [&](unsigned cpu) {
      return topology_.shares_core(cpu, shy) == last_is_best;
    });
    return cpus;
  }

  CpuList free_isolated(const CpuList& shy) {
    CpuList free;
    for (const unsigned cpu : without(cpus_.isolated, taken_)) {
      if (contains(cpus_.usable, cpu)) free.push_back(cpu);
    }
    return off_neighbours(std::move(free), false, shy);
  }

  Seat seat(unsigned cpu, std::string why) const {
    if (topology_.shares_core(cpu, wishes_.neighbours)) {
      why += "; shares its core with a neighbour's cpu";
    }
    return Seat{cpu, topology_.where(cpu).node, std::move(why)};
  }

  std::vector<Seat> named(const CpuList& cpus, const char* why) {
    std::vector<Seat> seats;
    for (const unsigned cpu : cpus) seats.push_back(seat(cpu, why));
    take(seats);
    return seats;
  }

  void take(const std::vector<Seat>& seats) {
    for (const Seat& seat : seats) taken_.push_back(seat.cpu);
  }

  const Topology& topology_;
  const Cpus& cpus_;
  const Wishes& wishes_;
  CpuList taken_;
};

Result<void> check_named(const CpuList& named, std::string_view key, const Cpus& cpus,
                         const Wishes& wishes) {
  for (const unsigned cpu : named) {
    if (!contains(cpus.usable, cpu)) {
      return refuse("{}: cpu {} is not among those this process may use ({})", key, cpu,
                    format_cpu_list(cpus.usable));
    }
    if (contains(wishes.neighbours, cpu)) {
      return refuse("{}: cpu {} is a neighbour's (placement.neighbours); choose another", key, cpu);
    }
  }
  return {};
}

Result<void> check(const Cpus& cpus, const Wishes& wishes) {
  const CpuList reclaim = wishes.reclaim.value_or(CpuList{});
  if (auto ok = check_named(wishes.poll, "poll.lcores", cpus, wishes); !ok) return ok;
  if (auto ok = check_named(reclaim, "reclaim.lcores", cpus, wishes); !ok) return ok;
  for (const unsigned cpu : reclaim) {
    if (contains(wishes.poll, cpu)) {
      return refuse("reclaim.lcores: cpu {} is in poll.lcores too; a lcore needs a cpu of its own",
                    cpu);
    }
  }
  if (!wishes.control) return {};
  if (auto ok = check_named({*wishes.control}, "eal.main_lcore", cpus, wishes); !ok) return ok;
  for (const auto& [list, key] :
       {std::pair{&wishes.poll, "poll.lcores"}, std::pair{&reclaim, "reclaim.lcores"}}) {
    if (!contains(*list, *wishes.control)) continue;
    return refuse(
        "eal.main_lcore: cpu {} is in {} too, where that lcore would starve the control "
        "thread; choose another for one of them",
        *wishes.control, key);
  }
  return {};
}

/// Appends the cpus whose bits are set in a hexadecimal digit. @return false when it is no such
/// digit.
bool add_digit(char digit, unsigned lowest, CpuList* cpus) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  const auto value = kDigits.find(static_cast<char>(digit | 0x20));
  const bool is_number = digit >= '0' && digit <= '9';
  const auto bits = is_number ? static_cast<std::size_t>(digit - '0') : value;
  if (bits == std::string_view::npos) return false;
  for (unsigned bit = 0; bit < 4; ++bit) {
    if (((bits >> bit) & 1) != 0) cpus->push_back(lowest + bit);
  }
  return true;
}

}  // namespace

Result<Placement> place(const Topology& topology, const Cpus& cpus, const Wishes& wishes) {
  if (auto ok = check(cpus, wishes); !ok) return tl::unexpected(ok.error());
  Chooser chooser(topology, cpus, wishes);
  Placement placement;
  placement.poll = chooser.poll();
  placement.reclaim = chooser.reclaim(placement.poll);
  return placement;
}

Result<CpuList> parse_neighbours(std::string_view text) {
  if (text.empty()) return CpuList{};
  if (!text.starts_with("0x") && !text.starts_with("0X")) {
    CpuList list = parse_cpu_list(text);
    if (!list.empty()) return list;
  } else if (text.size() > 2 && text.size() - 2 <= kCpuBound / 4) {
    CpuList cpus;
    bool good = true;
    for (unsigned place = 0; place + 2 < text.size(); ++place) {
      good = good && add_digit(text[text.size() - 1 - place], place * 4, &cpus);
    }
    if (good) return cpus;
  }
  return refuse(
      "'{}' names no cpus; write a mask as OVS's pmd-cpu-mask takes it (\"0x3c\") or a "
      "list (\"2-5,8\")",
      text);
}

}  // namespace vballoon::lcore
