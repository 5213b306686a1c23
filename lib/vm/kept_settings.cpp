// SPDX-License-Identifier: BSD-3-Clause
#include "vm/kept_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "vm/device_name.hpp"

namespace vballoon::vm {
namespace {

constexpr std::string_view kNow = "now.";
constexpr std::string_view kConfiguration = "configuration";
constexpr std::string_view kClient = "client";  // a mode

tl::unexpected<Status> wrong(std::string_view line) {
  return fail(Code::kInvalidArgument, fmt::format("kept settings have a line '{}'", line));
}

Result<void> read_setting(std::string_view key, std::string_view value, Settings* settings) {
  const Setting* const setting = find_setting(key);
  if (setting == nullptr) return {};
  const auto parsed = parse(*setting, value);
  if (!parsed) return tl::unexpected(parsed.error());
  put(*setting, *parsed, settings);
  return {};
}

Result<void> read_line(std::string_view line, KeptSettings* kept) {
  const std::size_t sign = line.find('=');
  if (sign == std::string_view::npos) return wrong(line);
  const std::string_view key = line.substr(0, sign);
  const std::string_view value = line.substr(sign + 1);
  if (key == "from") {
    kept->configured = value == kConfiguration;
  } else if (key == "name") {
    kept->added.name = value;
  } else if (key == "socket") {
    kept->added.socket = value;
  } else if (key == "mode") {
    kept->added.client = value == kClient;
  } else if (!key.starts_with(kNow)) {
    return read_setting(key, value, &kept->added);
  }
  return {};
}

/// The lines of what was changed, on top of the others.
Result<void> read_change(std::string_view line, KeptSettings* kept) {
  if (!line.starts_with(kNow)) return {};
  line.remove_prefix(kNow.size());
  const std::size_t sign = line.find('=');
  if (sign == std::string_view::npos) return wrong(line);
  return read_setting(line.substr(0, sign), line.substr(sign + 1), &kept->now);
}

using Read = Result<void> (*)(std::string_view line, KeptSettings* kept);

Result<void> read_lines(std::string_view lines, Read read, KeptSettings* kept) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    if (auto ok = read(line, kept); !ok) return ok;
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
  }
  return {};
}

}  // namespace

std::string lines_of(const KeptSettings& kept) {
  std::string text = fmt::format("from={}\nname={}\nsocket={}\nmode={}\n",
                                 kept.configured ? kConfiguration : "rpc", kept.added.name,
                                 kept.added.socket, kept.added.client ? kClient : "server");
  const auto out = std::back_inserter(text);
  for (const Setting& setting : kSettings) {
    const Value added = get(setting, kept.added);
    const Value now = get(setting, kept.now);
    fmt::format_to(out, "{}={}\n", setting.key, text_of(added));
    if (now != added) fmt::format_to(out, "{}{}={}\n", kNow, setting.key, text_of(now));
  }
  return text;
}

Result<KeptSettings> read_kept_settings(std::string_view lines) {
  KeptSettings kept;
  if (auto ok = read_lines(lines, read_line, &kept); !ok) return tl::unexpected(ok.error());
  if (auto ok = check_name(kept.added.name); !ok) return tl::unexpected(ok.error());
  if (kept.added.socket.empty()) return wrong("socket=");
  kept.now = kept.added;
  if (auto ok = read_lines(lines, read_change, &kept); !ok) return tl::unexpected(ok.error());
  return kept;
}

}  // namespace vballoon::vm
