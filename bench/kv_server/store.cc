#include "store.h"

#include <cstring>
#include <functional>

namespace kv {
namespace {

constexpr size_t kShards = 32;

}  // namespace

Store::Store(size_t limit_bytes) {
  for (size_t i = 0; i < kShards; ++i) {
    shards_.push_back(std::make_unique<Shard>(limit_bytes / kShards));
  }
}

std::string Store::Execute(const Request& request) {
  std::string response;
  ResponseHeader header{};
  header.id = request.header.id;
  AppendResponseHeader(header, response);
  header.status = Dispatch(request, response);
  header.value_bytes = static_cast<uint32_t>(response.size() - sizeof header);
  std::memcpy(response.data(), &header, sizeof header);
  return response;
}

Status Store::Dispatch(const Request& request, std::string& out) {
  const uint32_t argument = request.header.argument;
  Shard& shard = ShardOf(request.key);
  switch (request.header.opcode) {
    case Opcode::kGet:
      return shard.Get(request.key, out) ? Status::kOk : Status::kNotFound;
    case Opcode::kSet:
      shard.Set(request.key, request.value, std::chrono::milliseconds(argument));
      return Status::kOk;
    case Opcode::kAppend:
      shard.Append(request.key, request.value);
      return Status::kOk;
    case Opcode::kDelete:
      return shard.Delete(request.key) ? Status::kOk : Status::kNotFound;
    case Opcode::kClear:
      if (argument == 0) return Status::kBadRequest;
      for (const auto& each : shards_) each->Clear(argument);
      return Status::kOk;
  }
  return Status::kBadRequest;
}

size_t Store::bytes() {
  size_t sum = 0;
  for (const auto& shard : shards_) sum += shard->bytes();
  return sum;
}

Shard& Store::ShardOf(std::string_view key) {
  return *shards_[std::hash<std::string_view>()(key) % kShards];
}

}  // namespace kv
