// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A file that holds what the operator has set up, so that a restart forgets nothing. Written as a
// whole, by a thread, since a disk may take its time: either the old text is in it or the new one,
// whatever ends the program or the machine. Main loop only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace agora::gateway {

class StateFile {
 public:
  // "": written; else what went wrong. Not called any more once the StateFile is gone.
  using Done = std::function<void(const std::string &problem)>;

  explicit StateFile(std::string path);
  StateFile(const StateFile &) = delete;
  StateFile &operator=(const StateFile &) = delete;
  ~StateFile();

  // What it holds; "" where there is none yet. Or what is wrong. For the start: it waits for the
  // disk.
  struct Text {
    std::string text;
  };
  std::variant<Text, std::string> read () const;
  // Texts that come while one is being written go out together, as the last of them.
  void write (std::string text, Done done);
  bool idle () const { return !writing_; }

 private:
  struct Job;
  void begin ();
  void finished (const std::vector<Done> &done, const std::string &problem);

  const std::string path_;
  bool writing_ = false;
  std::string next_;
  std::vector<Done> waiting_;
  const std::shared_ptr<StateFile *> self_;  // null in it: gone
};

}  // namespace agora::gateway
