// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/cluster/redis-reply.hpp"

#include <hiredis.h>

#include <exception>
#include <new>
#include <utility>

namespace agora::gateway::cluster {

namespace {

// Arrays in arrays. hiredis before 1.0 has the same bound itself, later ones have none.
constexpr std::size_t kMostDepth = 7;
// What hiredis before 1.0 doesn't know, and what Redis sends to those alone who ask for RESP3.
constexpr const char *kUnknownType = "an answer of a type that RESP2 doesn't have";

}  // namespace

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
  std::string refused;  // why

  static RedisReply *place (const redisReadTask *task) {
    if (task->parent != nullptr)
      return &static_cast<RedisReply *>(task->parent->obj)
                  ->items[static_cast<std::size_t>(task->idx)];
    auto *const tree = static_cast<Tree *>(task->privdata);
    tree->items = 0;
    tree->root = {};
    return &tree->root;
  }
  static bool refuse (const redisReadTask *task, std::string reason) {
    static_cast<Tree *>(task->privdata)->refused = std::move(reason);
    return false;
  }
  // Null where it throws or refuses: hiredis is C, and takes it as no memory left.
  template <typename Fill>
  static RedisReply *build (const redisReadTask *task, Fill fill) noexcept {
    try {
      auto *const reply = place(task);
      return fill(*reply) ? reply : nullptr;
    } catch (const std::exception &) {
      return nullptr;
    }
  }
  static void *create_text (const redisReadTask *task, char *text, std::size_t length) noexcept {
    return build(task, [=] (RedisReply &reply) {
      if (task->type == REDIS_REPLY_ERROR)
        reply.kind = RedisReply::Kind::error;
      else if (task->type == REDIS_REPLY_STATUS)
        reply.kind = RedisReply::Kind::status;
      else if (task->type == REDIS_REPLY_STRING)
        reply.kind = RedisReply::Kind::text;
      else
        return refuse(task, kUnknownType);
      reply.text.assign(text, length);
      return true;
    });
  }
  // The type of the count is another from hiredis 1.0 on.
  template <typename Count>
  static void *create_array (const redisReadTask *task, Count elements) noexcept {
    return build(task, [=] (RedisReply &reply) {
      if (task->type != REDIS_REPLY_ARRAY)
        return refuse(task, kUnknownType);
      std::size_t depth = 1;
      for (const auto *above = task->parent; above != nullptr; above = above->parent)
        depth++;
      if (depth > kMostDepth)
        return refuse(task, "an answer of more than " + std::to_string(kMostDepth) +
                                " arrays in one another");
      auto *const tree = static_cast<Tree *>(task->privdata);
      const auto count = static_cast<std::size_t>(elements);
      if (count > tree->most_items - tree->items)
        return refuse(task,
                      "an answer of more than " + std::to_string(tree->most_items) + " items");
      tree->items += count;
      reply.kind = RedisReply::Kind::array;
      reply.items.resize(count);
      return true;
    });
  }
  static void *create_integer (const redisReadTask *task, long long value) noexcept {
    return build(task, [=] (RedisReply &reply) {
      reply.kind = RedisReply::Kind::integer;
      reply.integer = value;
      return true;
    });
  }
  static void *create_nil (const redisReadTask *task) noexcept {
    return build(task, [] (RedisReply &) { return true; });
  }
  // Numbers with a fraction, and booleans.
  template <typename... Value>
  static void *create_unknown (const redisReadTask *task, Value...) noexcept {
    return build(task, [=] (RedisReply &) { return refuse(task, kUnknownType); });
  }
  static void free_object (void *) noexcept {}  // the tree's
};

void RedisParser::FreeReader::operator()(redisReader *reader) const noexcept {
  redisReaderFree(reader);
}

RedisParser::RedisParser(const Bounds &bounds)
    : bounds_(bounds), tree_(std::make_unique<Tree>(bounds.items)) {
  // By name: hiredis 1.0 has put others among them.
  static redisReplyObjectFunctions functions = [] {
    redisReplyObjectFunctions ours{};
    ours.createString = Tree::create_text;
    ours.createArray = Tree::create_array;
    ours.createInteger = Tree::create_integer;
    ours.createNil = Tree::create_nil;
    ours.freeObject = Tree::free_object;
#if HIREDIS_MAJOR >= 1
    ours.createDouble = Tree::create_unknown;
    ours.createBool = Tree::create_unknown;
#endif
    return ours;
  }();
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
    broken_ = tree_->refused.empty() ? redisReaderGetError(reader_.get()) : tree_->refused;
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
