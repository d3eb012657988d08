// SPDX-License-Identifier: LGPL-2.1-or-later
// The recorder's folder and its WAV files: nothing is overwritten or leads out, and a file is whole
// at each moment, of whatever size.
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "gst/recorder/folder.hpp"
#include "gst/recorder/options.hpp"
#include "gst/recorder/sheet-pace.hpp"
#include "gst/recorder/wav-file.hpp"
#include "tests/suite.hpp"

namespace files_test {

using namespace agora;
using namespace agora::recorder;

namespace {

// The macro of GLib keeps pointers into what is gone by then.
void assert_text (const std::string &text, const char *expected) {
  g_assert_cmpstr(text.c_str(), ==, expected);
}

constexpr WavFile::Shape kMono{1, 16, kRate};

class Scratch {
 public:
  Scratch() : path_(g_dir_make_tmp("agora-test-XXXXXX", nullptr)) {}
  ~Scratch() {
    const CharPtr line(g_strdup_printf("rm -rf '%s'", path_.get()));
    g_assert_true(g_spawn_command_line_sync(line.get(), nullptr, nullptr, nullptr, nullptr));
  }
  std::string path () const { return path_.get(); }

 private:
  CharPtr path_;
};

std::string contents (const std::string &path) {
  gchar *text = nullptr;
  gsize size = 0;
  g_assert_true(g_file_get_contents(path.c_str(), &text, &size, nullptr));
  const CharPtr owned(text);
  return {text, size};
}

std::uint64_t number (const std::string &bytes, std::size_t at, int size) {
  std::uint64_t value = 0;
  for (int i = size - 1; i >= 0; i--)
    value = value << 8 | static_cast<std::uint8_t>(bytes[at + static_cast<std::size_t>(i)]);
  return value;
}

// Frames of 16 bits, each with its own place as its value.
Piece piece (std::int64_t at, std::int64_t length) {
  std::vector<std::int16_t> samples(static_cast<std::size_t>(length));
  for (std::int64_t i = 0; i < length; i++)
    samples[static_cast<std::size_t>(i)] = static_cast<std::int16_t>(at + i);
  return {at, length, BufferPtr(gst_buffer_new_memdup(samples.data(), samples.size() * 2)),
          nullptr};
}

void test_names () {
  assert_text(file_name(8, 0, 1, false, "wav"), "speaker-8.wav");
  assert_text(file_name(0, 0, 1, false, "flac"), "mix.flac");
  assert_text(file_name(4294967295u, 12, 3, true, "mka"), "speaker-4294967295-000012-part3.mka");
  assert_text(cue_name(0, false), "cues.json");
  assert_text(cue_name(7, true), "cues-000007.json");
}

void test_folders_are_new () {
  const Scratch scratch;
  Folder one, other;
  std::string reason;
  // Of one second mostly: they differ all the same.
  g_assert_true(one.make(scratch.path() + "/deep/er", reason));
  g_assert_true(other.make(scratch.path() + "/deep/er", reason));
  g_assert_cmpstr(one.path().c_str(), !=, other.path().c_str());
  Folder none;
  g_assert_false(none.make("/proc/nowhere", reason));
  g_assert_nonnull(std::strstr(reason.c_str(), "/proc/nowhere"));
}

void test_files_are_new () {
  const Scratch scratch;
  Folder folder;
  std::string reason;
  g_assert_true(folder.make(scratch.path(), reason));
  const Descriptor first(folder.create("speaker-8.wav"));
  g_assert_cmpint(first.get(), >=, 0);
  g_assert_cmpint(folder.create("speaker-8.wav"), ==, -1);
  g_assert_cmpint(errno, ==, EEXIST);
  // A link that somebody left there isn't followed.
  const std::string target = scratch.path() + "/target";
  g_assert_cmpint(symlink(target.c_str(), (folder.path() + "/speaker-9.wav").c_str()), ==, 0);
  g_assert_cmpint(folder.create("speaker-9.wav"), ==, -1);
  g_assert_false(g_file_test(target.c_str(), G_FILE_TEST_EXISTS));
}

void test_sheets_are_replaced_whole () {
  const Scratch scratch;
  Folder folder;
  std::string reason;
  g_assert_true(folder.make(scratch.path(), reason));
  g_assert_true(folder.replace("cues.json", "one"));
  // Who has the old one open reads it to its end.
  const Descriptor reader(open((folder.path() + "/cues.json").c_str(), O_RDONLY));
  g_assert_true(folder.replace("cues.json", "another"));
  char old[8] = {};
  g_assert_cmpint(read(reader.get(), old, sizeof old), ==, 3);
  g_assert_cmpstr(old, ==, "one");
  assert_text(contents(folder.path() + "/cues.json"), "another");
}

void test_a_wav_is_whole_after_each_sync () {
  const Scratch scratch;
  const std::string path = scratch.path() + "/a.wav";
  WavFile file(Descriptor(open(path.c_str(), O_RDWR | O_CREAT, 0600)), kMono);
  g_assert_true(file.write(piece(100, 50)));
  g_assert_true(file.write(piece(150, 50)));
  g_assert_true(file.sync());
  std::string bytes = contents(path);
  g_assert_cmpuint(bytes.size(), ==, WavFile::kHeader + 400);
  g_assert_cmpmem(bytes.data(), 4, "RIFF", 4);
  g_assert_cmpuint(number(bytes, 4, 4), ==, bytes.size() - 8);
  g_assert_cmpmem(bytes.data() + 72, 4, "data", 4);
  g_assert_cmpuint(number(bytes, 76, 4), ==, 400);
  g_assert_cmpuint(number(bytes, WavFile::kHeader + 2 * 99, 2), ==, 0);
  for (const unsigned at : {100u, 149u, 150u, 199u})
    g_assert_cmpuint(number(bytes, WavFile::kHeader + std::size_t{2} * at, 2), ==, at);
  // A hole between, and silence up to the end.
  g_assert_true(file.write(piece(300, 10)));
  file.close(1000);
  g_assert_true(file.closed());
  bytes = contents(path);
  g_assert_cmpuint(bytes.size(), ==, WavFile::kHeader + 2000);
  g_assert_cmpuint(number(bytes, 76, 4), ==, 2000);
  g_assert_cmpuint(number(bytes, WavFile::kHeader + 2 * 250, 2), ==, 0);
  g_assert_cmpuint(number(bytes, WavFile::kHeader + 2 * 305, 2), ==, 305);
  g_assert_cmpuint(number(bytes, WavFile::kHeader + 2 * 999, 2), ==, 0);
}

// An odd number of bytes: the chunk is one longer than it says.
void test_a_wav_of_24_bits () {
  const Scratch scratch;
  const std::string path = scratch.path() + "/a.wav";
  WavFile file(Descriptor(open(path.c_str(), O_RDWR | O_CREAT, 0600)), {1, 24, kRate});
  g_assert_true(file.write({0, 1, BufferPtr(gst_buffer_new_memdup("\1\2\3", 3)), nullptr}));
  file.close(3);
  const std::string bytes = contents(path);
  g_assert_cmpuint(bytes.size(), ==, WavFile::kHeader + 10);
  g_assert_cmpuint(number(bytes, 4, 4), ==, bytes.size() - 8);
  g_assert_cmpuint(number(bytes, 76, 4), ==, 9);
}

// Past 4 GiB the same file is RF64; a hole, so that no disk has to hold it.
void test_a_wav_outgrows_32_bits () {
  const Scratch scratch;
  const std::string path = scratch.path() + "/a.wav";
  WavFile file(Descriptor(open(path.c_str(), O_RDWR | O_CREAT, 0600)), kMono);
  const std::int64_t last = (std::int64_t{0xFFFFFFFF} - 72) / 2;
  g_assert_true(file.write(piece(last - 10, 10)));
  g_assert_true(file.sync());
  char header[80] = {};
  const Descriptor reader(open(path.c_str(), O_RDONLY));
  g_assert_cmpint(pread(reader.get(), header, 80, 0), ==, 80);
  g_assert_cmpmem(header, 4, "RIFF", 4);
  g_assert_true(file.write(piece(last, 10)));
  g_assert_true(file.sync());
  g_assert_cmpint(pread(reader.get(), header, 80, 0), ==, 80);
  const std::string bytes(header, 80);
  g_assert_cmpmem(header, 4, "RF64", 4);
  g_assert_cmpmem(header + 12, 4, "ds64", 4);
  const auto data = static_cast<std::uint64_t>(last + 10) * 2;
  g_assert_cmpuint(number(bytes, 4, 4), ==, 0xFFFFFFFF);
  g_assert_cmpuint(number(bytes, 20, 8), ==, data + 72);
  g_assert_cmpuint(number(bytes, 28, 8), ==, data);
  g_assert_cmpuint(number(bytes, 36, 8), ==, static_cast<std::uint64_t>(last) + 10);
  g_assert_cmpuint(number(bytes, 76, 4), ==, 0xFFFFFFFF);
  // What others make of it.
  const CharPtr line(g_strdup_printf(
      "ffprobe -v error -show_entries format=duration -of csv=p=0 '%s'", path.c_str()));
  gchar *out = nullptr;
  int status = 0;
  if (g_spawn_command_line_sync(line.get(), &out, nullptr, &status, nullptr)) {
    const CharPtr owned(out);
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpfloat_with_epsilon(g_ascii_strtod(out, nullptr),
                                   static_cast<double>(last + 10) / kRate, 0.001);
  }
}

// What a disk doesn't take is lost; the file stays whole, and goes on where it should.
void test_a_wav_on_a_full_disk () {
  const Scratch scratch;
  const std::string path = scratch.path() + "/a.wav";
  WavFile file(Descriptor(open(path.c_str(), O_RDWR | O_CREAT, 0600)), kMono);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit tight = before;
  tight.rlim_cur = WavFile::kHeader + 2 * 150;
  g_assert_true(file.write(piece(0, 100)));
  g_assert_true(file.sync());
  setrlimit(RLIMIT_FSIZE, &tight);
  g_assert_true(file.write(piece(100, 100)));
  g_assert_false(file.sync());
  g_assert_cmpstr(file.problem().c_str(), !=, "");
  g_assert_true(file.goes_on());
  g_assert_cmpuint(number(contents(path), 76, 4), ==, 200);
  setrlimit(RLIMIT_FSIZE, &before);
  g_assert_true(file.write(piece(200, 100)));
  g_assert_true(file.sync());
  file.close(300);
  const std::string bytes = contents(path);
  g_assert_cmpuint(number(bytes, 76, 4), ==, 600);
  g_assert_cmpuint(bytes.size(), ==, WavFile::kHeader + 600);
  g_assert_cmpuint(number(bytes, WavFile::kHeader + 2 * 99, 2), ==, 99);
  g_assert_cmpuint(number(bytes, WavFile::kHeader + 2 * 250, 2), ==, 250);
}

// Small or large, a sheet tells of its progress now and then; what was large stays so.
void test_sheets_go_on () {
  for (const auto &[bytes, every] :
       {std::pair<std::size_t, int>{1000, 4}, {64 << 10, 10}, {1 << 20, 10}}) {
    agora::recorder::SheetPace pace;
    int written = 0;
    for (int second = 0; second < 100; second++)
      written += pace.due(bytes);
    g_assert_cmpint(written, ==, 100 / every);
  }
}

}  // namespace

static const agora::Suite suite("files", [] {
  gst_init(nullptr, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);
  g_test_add_func("/recorder/sheets-go-on", test_sheets_go_on);
  g_test_add_func("/recorder/names", test_names);
  g_test_add_func("/recorder/folders-are-new", test_folders_are_new);
  g_test_add_func("/recorder/files-are-new", test_files_are_new);
  g_test_add_func("/recorder/sheets-are-replaced-whole", test_sheets_are_replaced_whole);
  g_test_add_func("/recorder/wav-is-whole", test_a_wav_is_whole_after_each_sync);
  g_test_add_func("/recorder/wav-24-bits", test_a_wav_of_24_bits);
  g_test_add_func("/recorder/wav-outgrows-32-bits", test_a_wav_outgrows_32_bits);
  g_test_add_func("/recorder/wav-full-disk", test_a_wav_on_a_full_disk);
});

}  // namespace files_test
