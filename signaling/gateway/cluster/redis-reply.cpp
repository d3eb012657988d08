// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/cluster/redis-reply.hpp"

#include <hiredis.h>

#include <exception>
#include <new>
#include <utility>

namespace agora::gateway::cluster {

std::string RedisReply::flat() const {
  return kind == Kind::integer ? std::to_string(integer) : text;
}

std::string format_redis_command (std::span<const std::string_view> arguments) {
  std::vector<const char *> texts;
  std::vector<std::size_t> lengths;
  texts.reserve(arguments.size());
  lengths.reserve(arguments.size());
  for (const auto &argument : arguments) {
    texts.push_back(argument.data());
    lengths.push_back(argument.size());
  }
  char *target = nullptr;
  const int length =
      redisFormatCommandArgv(&target, static_cast<int>(texts.size()), texts.data(), lengths.data());
  if (length < 0)
    throw std::bad_alloc();
  std::string command(target, static_cast<std::size_t>(length));
  redisFreeCommand(target);
  return command;
}

// What hiredis builds a reply in. Its reader knows the objects as pointers only; an array has all
// of its items from the start, so that they stay where they are.
struct RedisParser::Tree {
  explicit Tree(std::size_t most) : most_items(most) {}
  const std::size_t most_items;
  RedisReply root;
  std::size_t items = 0;
  bool too_many = false;

  static RedisReply *place (const redisReadTask *task) {
    if (task->parent != nullptr)
      return &static_cast<RedisReply *>(task->parent->obj)
                  ->items[static_cast<std::size_t>(task->idx)];
    auto *const tree = static_cast<Tree *>(task->privdata);
    tree->items = 0;
    tree->root = {};
    return &tree->root;
  }
  // Null where it throws: hiredis is C, and takes it as no memory left.
  template <typename Fill>
  static RedisReply *build (const redisReadTask *task, Fill fill) noexcept {
    try {
      auto *const reply = place(task);
      return fill(*reply) ? reply : nullptr;
    } catch (const std::exception &) {
      return nullptr;
    }
  }
  static void *create_text (const redisReadTask *task, char *text, std::size_t length) {
    return build(task, [=] (RedisReply &reply) {
      reply.kind = task->type == REDIS_REPLY_ERROR    ? RedisReply::Kind::error
                   : task->type == REDIS_REPLY_STATUS ? RedisReply::Kind::status
                                                      : RedisReply::Kind::text;
      reply.text.assign(text, length);
      return true;
    });
  }
  static void *create_array (const redisReadTask *task, int elements) {
    return build(task, [=] (RedisReply &reply) {
      auto *const tree = static_cast<Tree *>(task->privdata);
      tree->items += static_cast<std::size_t>(elements);
      tree->too_many = tree->items > tree->most_items;
      if (tree->too_many)
        return false;
      reply.kind = RedisReply::Kind::array;
      reply.items.resize(static_cast<std::size_t>(elements));
      return true;
    });
  }
  static void *create_integer (const redisReadTask *task, long long value) {
    return build(task, [=] (RedisReply &reply) {
      reply.kind = RedisReply::Kind::integer;
      reply.integer = value;
      return true;
    });
  }
  static void *create_nil (const redisReadTask *task) {
    return build(task, [] (RedisReply &) { return true; });
  }
  static void free_object (void *) {}  // the tree's
};

void RedisParser::FreeReader::operator()(redisReader *reader) const noexcept {
  redisReaderFree(reader);
}

RedisParser::RedisParser(const Bounds &bounds)
    : bounds_(bounds), tree_(std::make_unique<Tree>(bounds.items)) {
  static redisReplyObjectFunctions functions{Tree::create_text, Tree::create_array,
                                             Tree::create_integer, Tree::create_nil,
                                             Tree::free_object};
  reader_.reset(redisReaderCreateWithFunctions(&functions));
  if (!reader_)
    throw std::bad_alloc();
  reader_->privdata = tree_.get();
}

RedisParser::~RedisParser() = default;

void RedisParser::feed(std::string_view bytes) {
  if (!broken_.empty())
    return;
  unfinished_ += bytes.size();
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK)
    broken_ = redisReaderGetError(reader_.get());
}

std::variant<std::monostate, RedisReply, RedisParser::Broken> RedisParser::next() {
  if (!broken_.empty())
    return Broken{broken_};
  void *reply = nullptr;
  if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
    broken_ = tree_->too_many ? "an answer of more than " + std::to_string(bounds_.items) + " items"
                              : std::string(redisReaderGetError(reader_.get()));
    return Broken{broken_};
  }
  if (reply != nullptr) {
    // What is fed is read to the end before more is fed.
    unfinished_ = reader_->len - reader_->pos;
    return std::exchange(tree_->root, {});
  }
  if (unfinished_ > bounds_.bytes) {
    broken_ = "an answer of more than " + std::to_string(bounds_.bytes >> 20) + " MB";
    return Broken{broken_};
  }
  return std::monostate();
}

}  // namespace agora::gateway::cluster
