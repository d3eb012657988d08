// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// --state-dir: the operator's rules, which outlast a restart, and who did what. All of it is
// written by a thread beside the loop, one piece at a time, so that a slow disk holds up nobody.
// Used by one thread.
//   rules       as they are now, replaced whole; a file that can't be read is kept as rules.bad
//   stream-keys their digests; of StateFile, since whoever makes a key waits for the disk
//   audit.log   a line for each deed; beyond 8 MiB it goes on as audit.log.1
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "signaling/gateway/channel/rule-text.hpp"
#include "signaling/support/descriptor.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

class StateDir : public std::enable_shared_from_this<StateDir> {
 public:
  struct Callbacks {
    std::function<KeptRules()> rules;  // as they are now
    std::function<void()> idle;        // all of it is written
  };

  // The folder is this gateway's alone from now on; an error is a sentence for the operator.
  static std::variant<std::shared_ptr<StateDir>, std::string> open (const std::string &path);
  explicit StateDir(std::string path);
  ~StateDir();
  StateDir(const StateDir &) = delete;
  StateDir &operator=(const StateDir &) = delete;

  // What an earlier gateway held to; what is wrong with it is said in the log. Waits for the disk:
  // at the start alone.
  KeptRules read_rules ();

  // From here on it writes.
  void start (Callbacks callbacks);
  void rules_changed ();
  void note (const std::string &line);
  bool idle () const { return !writing_ && !rules_due_ && lines_.empty(); }

 private:
  struct Job;
  std::string file (const char *name) const { return path_ + "/" + name; }
  void set_aside (const std::string &why);
  void work ();
  void written (const Job &job);

  const std::string path_;
  Descriptor lock_;
  Callbacks callbacks_;
  bool writing_ = false;
  bool rules_due_ = false;
  std::string lines_;  // of the audit log, to be written
  unsigned left_out_ = 0;
  Timer again_;
};

}  // namespace agora::gateway
