#include "workload.h"

#include <cmath>
#include <cstdio>
#include <cstring>

namespace kv {
namespace {

constexpr size_t kMinValueBytes = 16;
constexpr size_t kUsualMaxValueBytes = size_t{64} * 1024;
constexpr size_t kGiantValueBytes = size_t{1024} * 1024;
constexpr size_t kMaxAppendBytes = 512;
constexpr size_t kOneGiantIn = 2000;  // of the values that are set
constexpr size_t kMaxBatch = 32;

constexpr size_t kExpiringPercent = 20;
constexpr size_t kMinMillisecondsToLive = 100;
constexpr size_t kMaxMillisecondsToLive = 2000;

// First and last bytes of every value of a key.
uint64_t Tag(uint32_t key) { return (key + uint64_t{1}) * 0x9e3779b97f4a7c15u; }

// 37 bytes, as long as keys of services tend to be: it does not fit into a std::string.
std::string KeyText(uint32_t key) {
  char text[64];
  const int length = std::snprintf(text, sizeof text, "service:session:%016llx:data",
                                   static_cast<unsigned long long>(Tag(key)));
  return {text, static_cast<size_t>(length)};
}

}  // namespace

Workload::Workload(uint64_t seed, size_t keys) : random_(seed), keys_(keys) {
  filler_.resize(kGiantValueBytes);
  for (char& c : filler_) c = static_cast<char>('a' + random_.Below(26));
}

size_t Workload::NextBatchSize() { return random_.Between(1, kMaxBatch); }

void Workload::AppendNext(std::string& out) {
  const Opcode opcode = PickOpcode();
  const uint32_t key = PickKey();
  const size_t value_bytes = PickValueBytes(opcode);
  RequestHeader header{};
  if (opcode == Opcode::kSet && random_.Percent(kExpiringPercent)) {
    header.argument =
        static_cast<uint32_t>(random_.Between(kMinMillisecondsToLive, kMaxMillisecondsToLive));
  }
  const std::string key_text = KeyText(key);
  header.value_bytes = static_cast<uint32_t>(value_bytes);
  header.id = key;
  header.key_bytes = static_cast<uint16_t>(key_text.size());
  header.opcode = opcode;
  AppendRequest(header, key_text, out);
  if (value_bytes != 0) AppendValue(value_bytes, key, out);
}

bool Workload::IsIntact(std::string_view value, uint32_t id) {
  const uint64_t tag = Tag(id);
  if (value.size() < 2 * sizeof tag) return false;
  return std::memcmp(value.data(), &tag, sizeof tag) == 0 &&
         std::memcmp(value.data() + value.size() - sizeof tag, &tag, sizeof tag) == 0;
}

Opcode Workload::PickOpcode() {
  const size_t chance = random_.Below(100);
  if (chance < 45) return Opcode::kGet;
  if (chance < 85) return Opcode::kSet;
  if (chance < 95) return Opcode::kAppend;
  return Opcode::kDelete;
}

// Low numbers are popular: half of the requests go to an eighth of the keys.
uint32_t Workload::PickKey() {
  const double u = random_.Unit();
  return static_cast<uint32_t>(u * u * u * static_cast<double>(keys_));
}

size_t Workload::PickValueBytes(Opcode opcode) {
  if (opcode == Opcode::kAppend) return random_.Between(kMinValueBytes, kMaxAppendBytes);
  if (opcode != Opcode::kSet) return 0;
  if (random_.Below(kOneGiantIn) == 0) return kGiantValueBytes;
  constexpr double kRatio = static_cast<double>(kUsualMaxValueBytes) / kMinValueBytes;
  return static_cast<size_t>(kMinValueBytes * std::pow(kRatio, random_.Unit()));
}

void Workload::AppendValue(size_t bytes, uint32_t key, std::string& out) {
  const uint64_t tag = Tag(key);
  const char* tag_bytes = reinterpret_cast<const char*>(&tag);
  out.append(tag_bytes, sizeof tag);
  out.append(filler_, 0, bytes - 2 * sizeof tag);
  out.append(tag_bytes, sizeof tag);
}

}  // namespace kv
