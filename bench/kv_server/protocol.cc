#include "protocol.h"

#include <cstring>

namespace kv {
namespace {

template <typename Header>
void AppendHeader(const Header& header, std::string& out) {
  out.append(reinterpret_cast<const char*>(&header), sizeof header);
}

template <typename Header>
bool ReadHeader(std::string_view bytes, Header& header) {
  if (bytes.size() < sizeof header) return false;
  std::memcpy(&header, bytes.data(), sizeof header);
  return true;
}

}  // namespace

bool ParseRequest(std::string_view bytes, Request& request) {
  RequestHeader& header = request.header;
  request.total_bytes = sizeof header;
  if (!ReadHeader(bytes, header)) return false;
  request.total_bytes += size_t{header.key_bytes} + header.value_bytes;
  if (bytes.size() < request.total_bytes) return false;
  request.key = bytes.substr(sizeof header, header.key_bytes);
  request.value = bytes.substr(sizeof header + header.key_bytes, header.value_bytes);
  return true;
}

bool ParseResponse(std::string_view bytes, Response& response) {
  ResponseHeader& header = response.header;
  response.total_bytes = sizeof header;
  if (!ReadHeader(bytes, header)) return false;
  response.total_bytes += header.value_bytes;
  if (bytes.size() < response.total_bytes) return false;
  response.value = bytes.substr(sizeof header, header.value_bytes);
  return true;
}

void AppendRequest(const RequestHeader& header, std::string_view key, std::string& out) {
  AppendHeader(header, out);
  out.append(key);
}

void AppendResponseHeader(const ResponseHeader& header, std::string& out) {
  AppendHeader(header, out);
}

}  // namespace kv
