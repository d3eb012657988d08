// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/top/picture.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <tuple>

#include "signaling/gateway/top/terminal-text.hpp"
#include "signaling/gateway/top/words.hpp"

namespace agora::gateway {

namespace {

using words::amount;
using words::duration;
using words::milliseconds;
using words::unknown;

constexpr std::int64_t soon_s = 14 * std::int64_t{86400};  // to the certificate's end
constexpr std::int64_t late_loop_ms = 200;
constexpr double most_descriptors_share = 0.9;
constexpr std::int64_t quietest_db = -60;  // at the left end of a meter
constexpr std::int64_t silent_db = -50;    // below it, who is on the air says nothing
constexpr std::size_t meter_cells = 10;
constexpr const char *gap = "  ";
constexpr std::size_t gap_columns = 2;
// However long names are, there is room for figures.
constexpr std::size_t widest_cell = 40;

// --- the gateway's state ---

struct Fact {
  std::string name, words;
  bool bad = false;
};

std::string restarts (JsonView of) {
  const auto count = of.count("restarts");
  return count > 0 ? ", " + std::to_string(count) + " restarts" : "";
}

std::string per_second (std::optional<double> bytes) {
  constexpr double bits = 8;
  return bytes ? amount(*bytes * bits, "bit/s") : unknown;
}

std::string count_of (JsonView of, const char *name) {
  return std::to_string(of.count(name));
}

void add_relay (std::vector<Fact> &facts, const LiveState &live) {
  const auto relay = live.gateway().object("media").object("relay");
  if (!relay)
    return;
  const auto rate = [&] (const char *name) {
    return per_second(live.rate(
        [name] (JsonView of) { return of.object("media").object("relay").number(name); }));
  };
  facts.push_back(
      {"RTMP", count_of(relay, "pushes") + " push, " + count_of(relay, "listeners") + " play"});
  facts.push_back({"RTMP in, out", rate("received_bytes") + ", " + rate("sent_bytes")});
  facts.push_back({"frames dropped", count_of(relay, "dropped_frames")});
  facts.push_back({"RTMP refused", count_of(relay, "refused")});
  const auto lag = relay.count("lag_ms");
  facts.push_back({"relay's loop", milliseconds(lag), lag > late_loop_ms});
}

void add_parts (std::vector<Fact> &facts, const LiveState &live) {
  const auto gateway = live.gateway();
  if (const auto web = gateway.object("web"))
    facts.push_back({"browsers",
                     count_of(web, "speak") + " speak, " + count_of(web, "hear") + " hear; " +
                         count_of(web, "workers") + " workers" + restarts(web),
                     web.count("workers") == 0});
  if (const auto store = gateway.object("store")) {
    const bool up = store.flag("up");
    facts.push_back({"store",
                     up ? "up, " + count_of(store, "gateways") + " gateways"
                        : "away, " + count_of(store, "waiting") + " waiting",
                     !up});
  }
  if (const auto ends = gateway.number("certificate_ends")) {
    const auto left = *ends - live.at_ms() / 1000;
    facts.push_back(
        {"certificate", left > 0 ? "ends in " + duration(left) : "has expired", left < soon_s});
  }
}

void add_process (std::vector<Fact> &facts, const LiveState &live) {
  const auto gateway = live.gateway();
  const auto process = gateway.object("process");
  const auto lag = gateway.count("loop_lag_ms");
  facts.push_back({"loop", milliseconds(lag), lag > late_loop_ms});
  const auto used = live.rate([] (JsonView of) { return of.object("process").number("cpu_ms"); });
  facts.push_back(
      {"processor", used ? std::to_string(std::llround(*used / 10)) + " % of a core" : unknown});
  facts.push_back({"memory", amount(static_cast<double>(process.count("resident_bytes")), "B")});
  const auto open = process.count("descriptors"), most = process.count("most_descriptors");
  facts.push_back({"descriptors", std::to_string(open) + " of " + std::to_string(most),
                   static_cast<double>(open) > most_descriptors_share * static_cast<double>(most)});
}

std::vector<Fact> facts_of (const LiveState &live) {
  const auto gateway = live.gateway();
  const auto media = gateway.object("media");
  std::vector<Fact> facts;
  if (gateway.flag("draining"))
    facts.push_back({"draining", "members move elsewhere", true});
  facts.push_back({"members", count_of(gateway, "members") + " in " +
                                  count_of(gateway, "channels") + " channels"});
  facts.push_back({"on the air", count_of(gateway, "streams")});
  const bool up = media.flag("up");
  facts.push_back({"media server", (up ? "up" : "down") + restarts(media), !up});
  add_relay(facts, live);
  add_parts(facts, live);
  add_process(facts, live);
  return facts;
}

// --- the channels' table ---

enum class Side { left, right };

struct Column {
  const char *name;
  Side side;
};

// Those that matter least come last: they go first where there is no room.
constexpr std::array columns{
    Column{"MEMBER", Side::left},      Column{"STATE", Side::left},
    Column{"LEVEL", Side::left},       Column{"MOUTH TO EAR", Side::right},
    Column{"JITTER", Side::right},     Column{"LATE", Side::right},
    Column{"CONCEALED", Side::right},  Column{"UNSENT", Side::right},
    Column{"RECONNECTS", Side::right}, Column{"HERE FOR", Side::right},
};
using Cells = std::array<std::string, columns.size()>;
using Widths = std::array<std::size_t, columns.size()>;

std::string meter (std::optional<ShownLevel> level) {
  if (!level)
    return unknown;
  const auto at = std::clamp<std::int64_t>(level->peak, quietest_db, 0) - quietest_db;
  const auto cells =
      static_cast<std::size_t>(at) * meter_cells / static_cast<std::size_t>(-quietest_db);
  return std::string(cells, '#') + std::string(meter_cells - cells, '.') + " " +
         words::decibel(level->peak);
}

std::string member_state (const ShownMember &member, std::optional<ShownLevel> level) {
  std::string state;
  const auto add = [&] (const std::string &what) { state += (state.empty() ? "" : ", ") + what; };
  if (member.in_grace)
    add("lost, may return");
  if (member.silenced)
    add("silenced");
  if (member.on_air)
    add("on the air, " + std::to_string(member.listeners) + " listen");
  else
    add(member.role);
  if (member.muted)
    add("muted");
  if (member.on_air && level && level->peak < silent_db)
    add("no sound");
  return state;
}

std::string who (const ShownMember &member) {
  const auto uid = std::to_string(member.uid);
  const auto known = member.account.empty() ? uid : member.account + " (" + uid + ")";
  return member.name.empty() ? known : member.name + ", " + known;
}

Cells cells_of (const LiveState &live, const ShownMember &member, std::optional<ShownLevel> level) {
  const auto *report = live.report_of(member);
  const auto hearing = live.hearing_of(member);
  const bool hears = report != nullptr && !report->heard.empty();
  const auto where = [] (bool there, std::int64_t value) {
    return there ? milliseconds(value) : unknown;
  };
  return {gap + who(member),
          member_state(member, level),
          member.on_air ? meter(level) : "",
          milliseconds(hearing.latency_ms),
          milliseconds(hearing.jitter_ms),
          where(hears, hearing.late_ms),
          where(hears, hearing.concealed_ms),
          where(report != nullptr && report->sends, report != nullptr ? report->unsent_ms : 0),
          report != nullptr ? std::to_string(report->reconnects + report->outages) : unknown,
          duration(live.at_ms() / 1000 - member.joined)};
}

ShownLine channel_title (const LiveState &live, const ShownChannel &channel,
                         const std::map<std::int64_t, ShownLevel> &levels) {
  std::optional<std::int64_t> loudest, latency, jitter;
  const auto raise = [] (std::optional<std::int64_t> &most, std::optional<std::int64_t> value) {
    if (value)
      most = std::max(most.value_or(*value), *value);
  };
  std::size_t speakers = 0;
  for (const auto &[uid, member] : channel.members) {
    speakers += member.on_air ? 1 : 0;
    const auto hearing = live.hearing_of(member);
    raise(latency, hearing.latency_ms);
    raise(jitter, hearing.jitter_ms);
  }
  for (const auto &[uid, level] : levels)
    raise(loudest, level.peak);
  std::string text = channel.name + (live.several_apps() ? " (" + channel.app + ")" : "") + ": " +
                     std::to_string(speakers) + " on the air, " +
                     std::to_string(channel.members.size()) + " here";
  if (loudest)
    text += "; loudest " + words::decibel(*loudest);
  if (latency)
    text += "; " + milliseconds(latency) + " mouth to ear";
  if (jitter)
    text += "; " + milliseconds(jitter) + " jitter";
  return {text, ShownLine::Look::strong};
}

// Either a line across all columns, or cells.
struct Row {
  std::optional<ShownLine> whole;
  Cells cells;
};

std::vector<Row> rows_of (const LiveState &live) {
  std::vector<Row> rows;
  for (const auto &[key, channel] : live.channels()) {
    const auto levels = live.levels_of(channel);
    rows.push_back({channel_title(live, channel, levels), {}});
    std::vector<const ShownMember *> members;
    members.reserve(channel.members.size());
    for (const auto &[uid, member] : channel.members)
      members.push_back(&member);
    const auto rank = [] (const ShownMember *member) {
      return std::make_tuple(!member->on_air, member->role != "broadcaster", member->uid);
    };
    std::sort(members.begin(), members.end(),
              [&] (const auto *a, const auto *b) { return rank(a) < rank(b); });
    for (const auto *member : members) {
      const auto level = levels.find(member->uid);
      rows.push_back({std::nullopt, cells_of(live, *member,
                                             level != levels.end() ? std::optional(level->second)
                                                                   : std::nullopt)});
    }
  }
  return rows;
}

// How wide each column is; 0: there is no room for it.
Widths widths_of (const std::vector<Row> &rows, std::size_t width) {
  Widths widths{};
  for (std::size_t i = 0; i < columns.size(); i++)
    widths[i] = columns_of(columns[i].name);
  for (const auto &row : rows)
    if (!row.whole)
      for (std::size_t i = 0; i < columns.size(); i++)
        widths[i] = std::max(widths[i], std::min(columns_of(row.cells[i]), widest_cell));
  std::size_t all = 0;
  for (auto &each : widths) {
    all += (all > 0 ? gap_columns : 0) + each;
    // The first one is shown anyway, and cut.
    if (all > width && &each != widths.data())
      each = 0;
  }
  return widths;
}

std::string joined (const Cells &cells, const Widths &widths) {
  std::string line;
  for (std::size_t i = 0; i < columns.size() && widths[i] > 0; i++) {
    const auto text = cut_to(cells[i], widths[i]);
    const std::string pad(widths[i] - columns_of(text), ' ');
    line += (i > 0 ? gap : "") + (columns[i].side == Side::left ? text + pad : pad + text);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::vector<ShownLine> gateway_lines (const LiveState &live, const std::string &where,
                                      Canvas canvas) {
  const auto gateway = live.gateway();
  const auto made_harmless = [&] (const std::string &text) {
    return cut_to(harmless(text, canvas.unicode), canvas.width);
  };
  std::vector<ShownLine> lines;
  lines.push_back(
      {made_harmless("agora-gateway " + gateway.text("version") + " at " + where + ", up for " +
                     duration(live.at_ms() / 1000 - gateway.count("started"))),
       ShownLine::Look::strong});
  std::string line;
  const auto end_line = [&] {
    if (!line.empty())
      lines.push_back({cut_to(line, canvas.width)});
    line.clear();
  };
  // With any width, too: nobody reads a line of all of it.
  constexpr std::size_t widest_line = 120;
  const auto width = std::min(canvas.width, widest_line);
  for (const auto &fact : facts_of(live)) {
    const auto text = harmless(fact.name + ": " + fact.words, canvas.unicode);
    // Bad news are a line of their own: they aren't told by colour alone.
    if (fact.bad) {
      end_line();
      lines.push_back({cut_to("! " + text, canvas.width), ShownLine::Look::alarm});
      continue;
    }
    if (!line.empty() && columns_of(line) + gap_columns + columns_of(text) > width)
      end_line();
    line += (line.empty() ? "" : gap) + text;
  }
  end_line();
  return lines;
}

Table channel_table (const LiveState &live, Canvas canvas) {
  auto rows = rows_of(live);
  for (auto &row : rows) {
    for (auto &cell : row.cells)
      cell = harmless(cell, canvas.unicode);
    if (row.whole)
      row.whole->text = cut_to(harmless(row.whole->text, canvas.unicode), canvas.width);
  }
  const auto widths = widths_of(rows, canvas.width);
  Cells names;
  for (std::size_t i = 0; i < columns.size(); i++)
    names[i] = columns[i].name;
  Table table{{cut_to(joined(names, widths), canvas.width), ShownLine::Look::strong}, {}};
  for (const auto &row : rows)
    table.rows.push_back(row.whole ? *row.whole
                                   : ShownLine{cut_to(joined(row.cells, widths), canvas.width)});
  if (rows.empty())
    table.rows.push_back({cut_to("Nobody is here.", canvas.width)});
  if (live.left_off() > 0)
    table.rows.push_back({cut_to("and " + std::to_string(live.left_off()) +
                                     " members more: those on the air are shown first",
                                 canvas.width)});
  return table;
}

}  // namespace agora::gateway
