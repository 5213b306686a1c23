// SPDX-License-Identifier: BSD-3-Clause
//
// vm/settings.hpp - the settings of one VM, and the one table of them.
// A setting is a field of Settings and a row of kSettings. The rows make what the configuration's
// [[device]], RPC, a reload, vballoonctl, `show`, completion, the manual page and the shipped
// configuration have of a setting.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace vballoon::vm {

/// Name, socket and mode identify the VM and have no rows in the table.
struct Settings {
  std::string name;
  std::string socket;
  bool client = false;  ///< connect to the VMM's socket instead of listening

  std::string kind = "stock";
  std::string page_sizes = "2M";
  std::string node = {};
  std::uint64_t effort = 1;
  bool prefault = false;
  bool packed = true;
  bool page_poison = false;
  bool indirect = false;
  bool reporting = true;
  bool message_queue = false;
  std::string group = {};
  bool automatic = false;
  std::uint64_t floor_mib = 0;
  std::uint64_t ceiling_mib = 0;
  std::uint64_t weight = 100;
  friend bool operator==(const Settings&, const Settings&) = default;
};

struct Flag {
  bool Settings::*field;
};
/// The bounds are included.
struct Number {
  std::uint64_t Settings::*field;
  std::uint64_t low;
  std::uint64_t high;
  std::string_view unit;
};
/// One of these words.
struct Word {
  std::string Settings::*field;
  std::span<const std::string_view> words;
};
/// An empty text is a setting that is not set.
struct Text {
  std::string Settings::*field;
};

/// What a change needs while the VM is served.
enum class Effect : std::uint8_t {
  kLive,       ///< nothing: neither VMM nor guest notices
  kNewDevice,  ///< a new device, to which the VMM connects again
};

enum class Source : std::uint8_t {
  kAnybody,
  kConfiguration,  ///< the configuration file only
};

struct Setting {
  std::string_view key;
  std::variant<Flag, Number, Word, Text> kind;
  Effect effect;
  Source source;
  std::string_view about;  ///< one sentence: what the setting does
  std::string_view more;   ///< further sentences, for the manual page
};

inline constexpr std::uint64_t kMostSizeMib = 1 << 30;
inline constexpr std::uint64_t kMostEffort = 2;
inline constexpr std::string_view kStock = "stock";
inline constexpr std::string_view kLarge = "large";
inline constexpr std::array<std::string_view, 2> kKinds{kStock, kLarge};
/// Sizes by which a guest may name pages, the smallest of each first.
inline constexpr std::array<std::string_view, 7> kPageSizes{"2M", "4K,2M", "4K,2M,1G", "2M,1G",
                                                            "1G", "4K",    "4K,1G"};

// The texts have no markup; docs/fill_settings.cpp adds it. A setting's default is its field's.
inline constexpr auto kSettings = std::to_array<Setting>({
    {"kind", Word{&Settings::kind, kKinds}, Effect::kNewDevice, Source::kAnybody,
     "The device: the stock balloon (virtio 5), or the one of large pages (virtio 13).",
     "large: its driver (guest/linux) gives and takes pages of page_sizes, and asks for each page "
     "that it takes back. So nothing is stranded where huge pages are behind the guest, and an "
     "empty pool is an answer and not the guest's end. A VM may have one of each kind, with a "
     "socket of its own each: then the stock one serves guests without that driver. page_poison, "
     "reporting and message_queue are of the stock balloon."},
    {"page_sizes", Word{&Settings::page_sizes, kPageSizes}, Effect::kNewDevice, Source::kAnybody,
     "The sizes by which the guest gives pages. With kind = large.",
     "The page size of the memory behind the guest, and larger ones: 2M, or 1G, for hugetlbfs; "
     "4K,2M for other memory, where 2M keeps transparent huge pages whole and 4K reaches any "
     "target. Targets are rounded down to the smallest."},
    {"node", Text{&Settings::node}, Effect::kNewDevice, Source::kAnybody,
     "The NUMA node of the guest that its pages are to come from. With kind = large.",
     "The number by which its firmware knows it, 0 to 1023. Empty: any. One device for each node "
     "takes memory from each by itself."},
    {"effort", Number{&Settings::effort, 0, kMostEffort, ""}, Effect::kLive, Source::kAnybody,
     "What finding pages may cost the guest. With kind = large.",
     "0: nothing, it gives what is free and whole; 1: a bounded attempt to compact and reclaim for "
     "each page; 2: whatever can be emptied by moving what is in it."},
    {"prefault", Flag{&Settings::prefault}, Effect::kLive, Source::kAnybody,
     "Put memory where the guest's pages were before it gets them back.",
     "So the guest's first touch does not stall (0.8 us a page, 80 us a huge page); giving back "
     "takes longer. It is as much as the host got from the balloon. For guests with polling "
     "threads of their own. Without effect with a VM that is in another memory cgroup than the "
     "daemon; vballoonctl show says so."},
    {"packed", Flag{&Settings::packed}, Effect::kNewDevice, Source::kAnybody,
     "Offer packed rings (VIRTIO_F_RING_PACKED) beside split ones.",
     "A driver that knows them takes them. false: for a VMM that passes the bit on and cannot "
     "handle such rings."},
    {"page_poison", Flag{&Settings::page_poison}, Effect::kNewDevice, Source::kAnybody,
     "Offer VIRTIO_BALLOON_F_PAGE_POISON, for guests that fill their free pages.",
     "A guest with page_poison=1 or init_on_free=1 then reports its free pages all the same; those "
     "that hold anything but zeroes are kept. Not for User Mode Linux: a driver that refuses the "
     "feature makes it forget the vhost-user protocol features, after which it no longer says when "
     "it takes its rings away."},
    {"indirect", Flag{&Settings::indirect}, Effect::kNewDevice, Source::kAnybody,
     "Offer VIRTIO_F_INDIRECT_DESC, for drivers whose chains are longer than their ring.",
     "Also for a guest that took the feature of another backend and comes from there. Linux does "
     "neither. Not for User Mode Linux, for the reason of page_poison: Linux from 6.12.117 on "
     "refuses the feature."},
    {"reporting", Flag{&Settings::reporting}, Effect::kLive, Source::kAnybody,
     "Give the host what the guest reports as free.",
     "false: reports are returned and the pages kept."},
    {"message_queue", Flag{&Settings::message_queue}, Effect::kNewDevice, Source::kAnybody,
     "Offer feature bit 2 as the message queue (VIRTIO_BALLOON_F_MESSAGE_VQ).",
     "On it a guest says that it is short of memory: counter pressure_messages. For guests with a "
     "driver that speaks it. Stock drivers take the bit for DEFLATE_ON_OOM, which the "
     "specification made of it, and are served as ever, but without hints and reports: those are "
     "not offered beside it, since both kinds of drivers would mean different queues by the same "
     "numbers."},
    {"group", Text{&Settings::group}, Effect::kNewDevice, Source::kConfiguration,
     "Group of the VM's socket, for tenants who are to be kept apart.",
     "By name or by number. Empty: daemon.socket_group."},
    {"automatic", Flag{&Settings::automatic}, Effect::kLive, Source::kAnybody,
     "The policy sets the VM's target.",
     "What vballoonctl policy auto or set-option said of it holds until the configuration has "
     "another value here."},
    {"floor_mib", Number{&Settings::floor_mib, 0, kMostSizeMib, "MiB"}, Effect::kLive,
     Source::kAnybody, "What the policy leaves the guest at least.",
     "0: at least an eighth of its memory, and 64 MiB."},
    {"ceiling_mib", Number{&Settings::ceiling_mib, 0, kMostSizeMib, "MiB"}, Effect::kLive,
     Source::kAnybody, "What the policy leaves the guest at most.", "0: all of its memory."},
    {"weight", Number{&Settings::weight, 1, 10'000, ""}, Effect::kLive, Source::kAnybody,
     "The VM's share of memory that is scarce, against the weights of others.", ""},
});

/// The value of a setting; the setting's kind says which alternative it has.
using Value = std::variant<bool, std::uint64_t, std::string>;

[[nodiscard]] Value get(const Setting& setting, const Settings& settings);
/// @pre the value is of the setting's kind and within its range.
void put(const Setting& setting, const Value& value, Settings* settings);

/// @return "true or false", "a whole number of MiB from 0 to 64" or "a text".
[[nodiscard]] std::string expected(const Setting& setting);
/// @return the text that parse() takes for this value.
[[nodiscard]] std::string text_of(const Value& value);
/// @errors kInvalidArgument, with the key and the values that the key takes.
[[nodiscard]] Result<Value> parse(const Setting& setting, std::string_view text);

[[nodiscard]] const Setting* find_setting(std::string_view key);
/// @pre the table has this key.
[[nodiscard]] const Setting& setting_named(std::string_view key);
using Rows = std::vector<const Setting*>;
[[nodiscard]] Rows live_settings();
/// @return a text such as "prefault=true, weight=200".
[[nodiscard]] std::string text_of(const Rows& rows, const Settings& settings);

/// KEY=VALUE of a command line.
struct Assignment {
  const Setting* setting = nullptr;
  Value value;
};
/// @errors kInvalidArgument for a text that is not KEY=VALUE, an unknown key (the message suggests
///         the nearest known key), or a value that the key does not take.
[[nodiscard]] Result<Assignment> parse_assignment(std::string_view text);

/// Whether the change needs a new device, to which the VMM connects again.
[[nodiscard]] bool needs_new_device(const Settings& before, const Settings& after);

/// Checks what no row says by itself: that the floor is not above the ceiling, that the node is a
/// number, and that nothing of the stock balloon alone is asked of another.
[[nodiscard]] Result<void> check(const Settings& settings);

}  // namespace vballoon::vm
