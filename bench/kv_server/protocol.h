// What goes over the sockets: a fixed header, then the key (requests only) and the value. Numbers
// are in the machine's own byte order, for both ends are in one process.
#ifndef CMA_BENCH_KV_SERVER_PROTOCOL_H_
#define CMA_BENCH_KV_SERVER_PROTOCOL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kv {

enum class Opcode : uint8_t { kGet, kSet, kAppend, kDelete, kClear };
enum class Status : uint8_t { kOk, kNotFound, kBadRequest };

struct RequestHeader {
  uint32_t value_bytes;
  uint32_t argument;  // kSet: milliseconds to live, 0 = for ever; kClear: keep one entry in so many
  uint32_t id;
  uint16_t key_bytes;
  Opcode opcode;
  uint8_t reserved;
};
static_assert(sizeof(RequestHeader) == 16);

struct ResponseHeader {
  uint32_t value_bytes;
  uint32_t id;
  Status status;
  uint8_t reserved[3];
};
static_assert(sizeof(ResponseHeader) == 12);

// A message as it lies in a receive buffer: the views end with the next change of the buffer.
struct Request {
  RequestHeader header;
  std::string_view key;
  std::string_view value;
  size_t total_bytes;
};

struct Response {
  ResponseHeader header;
  std::string_view value;
  size_t total_bytes;
};

// Reads the message at the front of `bytes`. False: there is only a part of it, and `total_bytes`
// says how long it will be (at least; its header may not be there yet).
bool ParseRequest(std::string_view bytes, Request& request);
bool ParseResponse(std::string_view bytes, Response& response);

void AppendRequest(const RequestHeader& header, std::string_view key, std::string& out);
void AppendResponseHeader(const ResponseHeader& header, std::string& out);

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_PROTOCOL_H_
