#ifndef CMA_BENCH_SCENARIO_JSON_H_
#define CMA_BENCH_SCENARIO_JSON_H_

#include <charconv>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace scenario {

struct Json;
using JsonArray = std::vector<Json>;
using JsonObject = std::map<std::string, std::unique_ptr<Json>>;

// A document as most JSON libraries hold it: strings, vectors and a tree of members.
struct Json {
  std::variant<std::nullptr_t, bool, double, std::string, JsonArray, JsonObject> value = nullptr;
};

// Reads the subset that WriteJson writes (no escapes). REQUIRES: well-formed text.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  Json Read() {
    switch (text_[at_]) {
      case '{':
        return ReadObject();
      case '[':
        return ReadArray();
      case '"':
        return Json{ReadString()};
      case 't':
        return Skip(4, Json{true});
      case 'f':
        return Skip(5, Json{false});
      case 'n':
        return Skip(4, Json{});
      default:
        return ReadNumber();
    }
  }

 private:
  Json Skip(size_t length, Json value) {
    at_ += length;
    return value;
  }

  Json ReadNumber() {
    double number = 0;
    const char* first = text_.data() + at_;
    const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), number);
    at_ += end == first ? 1 : static_cast<size_t>(end - first);
    return Json{number};
  }

  std::string ReadString() {
    const size_t end = text_.find('"', ++at_);
    std::string text(text_.substr(at_, end - at_));
    at_ = end + 1;
    return text;
  }

  Json ReadArray() {
    JsonArray array;
    for (++at_; text_[at_] != ']'; SkipComma()) array.push_back(Read());
    ++at_;
    return Json{std::move(array)};
  }

  Json ReadObject() {
    JsonObject object;
    for (++at_; text_[at_] != '}'; SkipComma()) {
      std::string key = ReadString();
      ++at_;  // ':'
      object.emplace(std::move(key), std::make_unique<Json>(Read()));
    }
    ++at_;
    return Json{std::move(object)};
  }

  void SkipComma() {
    if (text_[at_] == ',') ++at_;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

// Appends the text of `json` to `out`.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void Write(const Json& json) { std::visit(*this, json.value); }

  void operator()(std::nullptr_t) { out_ += "null"; }
  void operator()(bool value) { out_ += value ? "true" : "false"; }
  void operator()(double value) {
    char digits[32];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
    out_.append(digits, end);
  }
  void operator()(const std::string& value) { (out_ += '"').append(value) += '"'; }

  void operator()(const JsonArray& array) {
    out_ += '[';
    for (const Json& item : array) {
      Write(item);
      out_ += ',';
    }
    Close(']');
  }

  void operator()(const JsonObject& object) {
    out_ += '{';
    for (const auto& [key, item] : object) {
      (*this)(key);
      out_ += ':';
      Write(*item);
      out_ += ',';
    }
    Close('}');
  }

 private:
  void Close(char bracket) {
    if (out_.back() == ',') {
      out_.back() = bracket;
    } else {
      out_ += bracket;
    }
  }

  std::string& out_;
};

}  // namespace scenario

#endif  // CMA_BENCH_SCENARIO_JSON_H_
