// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/cue-book.hpp"

#include <json-glib/json-glib.h>

#include <algorithm>
#include <cmath>

#include "agora-config.h"
#include "signaling/support/glib-ptr.hpp"

namespace agora::recorder {

namespace {

// Of one sheet. What is beyond is counted.
constexpr std::size_t kMostEvents = 5000;
constexpr std::size_t kMostStays = 500;
constexpr double kSilence = -200;  // dB, as agorasrc says it
// Names that are kept while nobody of that name is there.
constexpr std::size_t kMostNames = 10'000;
// Nothing is heard for longer: it is lost. Codecs that rest send something more often.
constexpr double kPause = 1;
// While the channel itself is lost less is enough.
constexpr double kPauseAway = 0.3;
// What is lost so soon after another loss is the same.
constexpr double kSameLoss = 0.5;

struct JsonUnref {
  void operator()(JsonBuilder *builder) const noexcept { g_object_unref(builder); }
  void operator()(JsonGenerator *generator) const noexcept { g_object_unref(generator); }
  void operator()(JsonNode *node) const noexcept { json_node_unref(node); }
};

// To the microsecond: more digits say nothing.
double rounded (double seconds) {
  return std::round(seconds * 1e6) / 1e6;
}

double decibel (double linear) {
  return linear > 0 ? std::round(std::max(20 * std::log10(linear), kSilence) * 100) / 100
                    : kSilence;
}

std::string time_text (std::int64_t us) {
  g_autoptr(GDateTime) whole = g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC);
  g_autoptr(GDateTime) exact =
      whole ? g_date_time_add(whole, us % G_USEC_PER_SEC) : g_date_time_new_now_utc();
  const CharPtr text(g_date_time_format(exact, "%Y-%m-%dT%H:%M:%S.%fZ"));
  return text.get();
}

class Writer {
 public:
  Writer() : builder_(json_builder_new()) {}
  JsonBuilder *get () const { return builder_.get(); }
  void name (const char *name) { json_builder_set_member_name(get(), name); }
  void text (const char *key, const std::string &value) {
    name(key);
    json_builder_add_string_value(get(), value.c_str());
  }
  void number (const char *key, double value) {
    name(key);
    json_builder_add_double_value(get(), value);
  }
  void integer (const char *key, std::int64_t value) {
    name(key);
    json_builder_add_int_value(get(), value);
  }
  void boolean (const char *key, bool value) {
    name(key);
    json_builder_add_boolean_value(get(), value);
  }
  void begin_array (const char *key) {
    name(key);
    json_builder_begin_array(get());
  }
  std::string done () {
    const std::unique_ptr<JsonNode, JsonUnref> root(json_builder_get_root(get()));
    const std::unique_ptr<JsonGenerator, JsonUnref> generator(json_generator_new());
    json_generator_set_pretty(generator.get(), TRUE);
    json_generator_set_indent(generator.get(), 1);
    json_generator_set_root(generator.get(), root.get());
    const CharPtr text(json_generator_to_data(generator.get(), nullptr));
    return std::string(text.get()) + "\n";
  }

 private:
  std::unique_ptr<JsonBuilder, JsonUnref> builder_;
};

void write_files (Writer &out, const std::vector<FileCue> &files) {
  out.begin_array("files");
  for (const FileCue &file : files) {
    json_builder_begin_object(out.get());
    out.text("name", file.name);
    out.number("seconds", rounded(file.seconds));
    out.number("lost-seconds", rounded(file.lost));
    if (file.peak) {
      out.number("peak-db", decibel(*file.peak));
      out.number("rms-db", decibel(file.rms));
    }
    json_builder_end_object(out.get());
  }
  json_builder_end_array(out.get());
}

}  // namespace

std::int64_t CueBook::segment_of(double at) const {
  return head_.segment > 0 ? static_cast<std::int64_t>(std::max(at, 0.0) / head_.segment) : 0;
}

double CueBook::begin_of(std::int64_t segment) const {
  return static_cast<double>(segment) * head_.segment;
}

CueBook::Page &CueBook::page(std::int64_t segment) {
  const auto [found, fresh] = pages_.try_emplace(segment);
  if (fresh)
    for (const auto &[uid, since] : there_) {
      Speaker &speaker = found->second.speakers[uid];
      speaker.stays.push_back({std::max(since, begin_of(segment))});
      if (const auto name = names_.find(uid); name != names_.end())
        speaker.name = name->second;
    }
  found->second.news = true;
  return found->second;
}

void CueBook::add_event(Event event) {
  latest_ = std::max(latest_, event.at);
  Page &where = page(segment_of(event.at));
  if (where.events.size() < kMostEvents)
    where.events.push_back(std::move(event));
  else
    where.left_out++;
}

void CueBook::speaks(std::uint32_t uid, double at) {
  std::lock_guard lock(mutex_);
  if (!there_.try_emplace(uid, at).second)
    return;
  latest_ = std::max(latest_, at);
  // Who is there already is taken over by a page that begins now.
  Speaker &speaker = page(segment_of(at)).speakers[uid];
  if (const auto name = names_.find(uid); name != names_.end())
    speaker.name = name->second;
  auto &stays = speaker.stays;
  if (stays.empty() || stays.back().to >= 0) {
    if (stays.size() < kMostStays)
      stays.push_back({at});
  }
}

void CueBook::stops(std::uint32_t uid, double at) {
  std::lock_guard lock(mutex_);
  if (there_.find(uid) == there_.end())
    return;
  latest_ = std::max(latest_, at);
  auto &stays = page(segment_of(at)).speakers[uid].stays;
  there_.erase(uid);
  if (!stays.empty() && stays.back().to < 0)
    stays.back().to = at;
}

void CueBook::named(std::uint32_t uid, double at, const std::string &name) {
  std::lock_guard lock(mutex_);
  const auto known = names_.find(uid);
  if (known == names_.end() ? name.empty() || names_.size() >= kMostNames : known->second == name)
    return;
  if (name.empty())
    names_.erase(known);
  else
    names_[uid] = name;
  add_event({at, "named", uid, name});
  Page &where = page(segment_of(at));
  if (const auto speaker = where.speakers.find(uid); speaker != where.speakers.end())
    speaker->second.name = name;
}

void CueBook::heard(std::uint32_t uid, double from, double to) {
  std::lock_guard lock(mutex_);
  double &until = heard_.try_emplace(uid, 0).first->second;
  if (from - until > kPauseAway) {
    if (segment_of(from) >= done_)
      page(segment_of(from));
    for (auto each = pages_.lower_bound(segment_of(until));
         each != pages_.end() && each->first <= segment_of(from); ++each) {
      const auto speaker = each->second.speakers.find(uid);
      if (speaker != each->second.speakers.end() && speaker->second.pauses.size() < kMostStays)
        speaker->second.pauses.push_back({until, from});
    }
  }
  until = std::max(until, to);
}

void CueBook::lost(std::int64_t segment, std::uint32_t uid, double from, double to) {
  std::lock_guard lock(mutex_);
  if (segment < done_)
    return;
  const auto known = pages_.find(segment);
  const bool news = known == pages_.end() || known->second.news;
  Page &where = page(segment);
  Speaker &speaker = where.speakers[uid];
  speaker.lost_seconds += to - from;
  if (!speaker.lost.empty() && from <= speaker.lost.back().to + kSameLoss) {
    // What goes on being lost is progress, no news.
    where.news = news;
    speaker.lost.back().to = std::max(speaker.lost.back().to, to);
  } else if (speaker.lost.size() < kMostStays) {
    speaker.lost.push_back({from, to});
  }
}

void CueBook::note(const std::string &what, double at, std::uint32_t uid, const std::string &text) {
  std::lock_guard lock(mutex_);
  add_event({at, what, uid, text});
  Page &where = page(segment_of(at));
  const bool ends = what == "reconnected";
  if (what != "reconnecting" && !ends)
    return;
  if (uid && !ends) {
    Speaker &speaker = where.speakers[uid];
    speaker.reconnects++;
    if (speaker.broke.size() < kMostStays)
      speaker.broke.push_back(at);
  } else if (!uid && ends) {
    if (!away_.empty() && away_.back().to < 0)
      away_.back().to = at;
  } else if (!uid) {
    where.reconnects++;
    if (away_.size() >= kMostStays)
      away_.erase(away_.begin());
    away_.push_back({at});
  }
}

void CueBook::file(std::int64_t segment, std::uint32_t uid, const FileCue &cue) {
  std::lock_guard lock(mutex_);
  if (segment < done_)
    return;
  const auto known = pages_.find(segment);
  const bool news = known == pages_.end() || known->second.news;
  Page &where = page(segment);
  auto &files = where.speakers[uid].files;
  const auto old = std::find_if(files.begin(), files.end(),
                                [&] (const FileCue &each) { return each.name == cue.name; });
  if (old != files.end()) {
    // Lengths and levels are progress, no news.
    where.news = news;
    *old = cue;
  } else {
    files.push_back(cue);
  }
}

void CueBook::forget(std::int64_t segment, std::uint32_t uid, const std::string &name) {
  std::lock_guard lock(mutex_);
  if (segment >= done_)
    std::erase_if(page(segment).speakers[uid].files,
                  [&] (const FileCue &each) { return each.name == name; });
}

bool CueBook::was_away(Span pause) const {
  return std::any_of(away_.begin(), away_.end(), [&] (const Stay &away) {
    return away.from < pause.to && (away.to < 0 || away.to > pause.from);
  });
}

// Who is in the channel, but for the pauses in which nothing came. A pause that the channel's own
// loss is the cause of was told of no speaker.
CueBook::Heard CueBook::heard_of(std::uint32_t uid, const Speaker &speaker, Span sheet,
                                 double known) const {
  Heard heard;
  heard.reconnects = speaker.reconnects;
  const auto breaks = [&] (Span pause) {
    const bool told = std::any_of(speaker.broke.begin(), speaker.broke.end(), [&] (double at) {
      return at > pause.from - kPause && at < pause.to;
    });
    if (!told && pause.from > sheet.from && was_away(pause))
      heard.reconnects++;
  };
  const auto counts = [&] (Span pause) {
    return pause.to - pause.from > (was_away(pause) ? kPauseAway : kPause);
  };
  const auto until = heard_.find(uid);
  for (const Stay &stay : speaker.stays) {
    Span rest = {std::max(stay.from, sheet.from),
                 stay.to < 0 ? sheet.to : std::min(stay.to, sheet.to)};
    const auto add = [&] (double to) {
      if (to > rest.from)
        heard.speaks.push_back({rest.from, to});
    };
    for (const Span &pause : speaker.pauses) {
      const Span both = {std::max(rest.from, pause.from), std::min(rest.to, pause.to)};
      if (!counts(both))
        continue;
      add(both.from);
      if (both.from > rest.from)
        breaks(both);
      rest.from = both.to;
    }
    if (until != heard_.end()) {
      const Span both = {std::max(rest.from, until->second), std::min(rest.to, known)};
      if (counts(both)) {
        if (both.from > rest.from)
          breaks(both);
        rest.to = both.from;
      }
    }
    add(rest.to);
  }
  // Who comes back with the channel is told to have gone and come while the sound is there already.
  const auto goes_on = [&] (Span left, Span back) {
    return until != heard_.end() && until->second >= back.from && back.from - left.to < kPause &&
           std::none_of(speaker.pauses.begin(), speaker.pauses.end(), [&] (const Span &each) {
             return each.from < back.from && each.to > left.to;
           });
  };
  for (std::size_t i = 1; i < heard.speaks.size();) {
    if (goes_on(heard.speaks[i - 1], heard.speaks[i])) {
      heard.speaks[i - 1].to = heard.speaks[i].to;
      heard.speaks.erase(heard.speaks.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      i++;
    }
  }
  return heard;
}

std::string CueBook::write(std::int64_t segment, const Page &page, double at, double known,
                           bool last) const {
  const double begin = begin_of(segment);
  double seconds = std::max(at - begin, 0.0);
  if (head_.segment > 0)
    seconds = std::min(seconds, head_.segment);
  const auto here = [&] (double time) { return rounded(std::clamp(time - begin, 0.0, seconds)); };
  Writer out;
  const auto add_span = [&] (double from, double to) {
    json_builder_begin_array(out.get());
    json_builder_add_double_value(out.get(), here(from));
    json_builder_add_double_value(out.get(), here(to));
    json_builder_end_array(out.get());
  };
  json_builder_begin_object(out.get());
  out.text("program", "agora-recorder " AGORA_VERSION);
  out.text("app-id", head_.app_id);
  out.text("channel", head_.channel);
  out.text("format", head_.format);
  out.text("zero", time_text(head_.zero_us + static_cast<std::int64_t>(begin * G_USEC_PER_SEC)));
  out.integer("segment", segment);
  out.number("offset", begin);
  out.number("seconds", rounded(seconds));
  out.boolean("finished", last);
  out.integer("reconnects", static_cast<std::int64_t>(page.reconnects));
  out.begin_array("away");
  for (const Stay &stay : away_)
    if (const double to = stay.to < 0 ? begin + seconds : stay.to;
        to > begin && stay.from < begin + seconds)
      add_span(stay.from, to);
  json_builder_end_array(out.get());
  out.begin_array("tracks");
  for (const auto &[uid, speaker] : page.speakers) {
    const Heard heard = heard_of(uid, speaker, {begin, begin + seconds}, known);
    // Who came after the end.
    if (last && heard.speaks.empty() && speaker.files.empty() && speaker.lost.empty() &&
        heard.reconnects == 0)
      continue;
    json_builder_begin_object(out.get());
    if (uid) {
      out.integer("uid", uid);
      if (!speaker.name.empty())
        out.text("name", speaker.name);
      out.begin_array("speaks");
      for (const Span &span : heard.speaks)
        add_span(span.from, span.to);
      json_builder_end_array(out.get());
      out.integer("reconnects", static_cast<std::int64_t>(heard.reconnects));
    } else {
      out.boolean("mix", true);
    }
    out.number("lost-seconds", rounded(speaker.lost_seconds));
    out.begin_array("lost");
    for (const Span &span : speaker.lost)
      add_span(span.from, span.to);
    json_builder_end_array(out.get());
    write_files(out, speaker.files);
    json_builder_end_object(out.get());
  }
  json_builder_end_array(out.get());
  out.begin_array("events");
  for (const Event &event : page.events) {
    json_builder_begin_object(out.get());
    out.number("at", here(event.at));
    out.text("what", event.what);
    if (event.uid)
      out.integer("uid", event.uid);
    if (!event.text.empty())
      out.text("text", event.text);
    json_builder_end_object(out.get());
  }
  json_builder_end_array(out.get());
  if (page.left_out)
    out.integer("events-left-out", static_cast<std::int64_t>(page.left_out));
  json_builder_end_object(out.get());
  return out.done();
}

std::vector<CueBook::Sheet> CueBook::take(double at, std::int64_t done, bool progress,
                                          bool finished) {
  std::vector<Sheet> sheets;
  std::lock_guard lock(mutex_);
  // What has just happened isn't after the sheet.
  if (!finished)
    at = std::max(at, latest_);
  const double known = finished ? at : at - head_.behind;
  done_ = std::max(done_, done);
  for (auto each = pages_.begin(); each != pages_.end();) {
    const bool last = finished || each->first < done;
    if (last || progress || each->second.news) {
      each->second.news = false;
      sheets.push_back({each->first, write(each->first, each->second, at, known, last), last});
    }
    each = last ? pages_.erase(each) : std::next(each);
  }
  return sheets;
}

}  // namespace agora::recorder
