#include "options/options.h"

#include <string.h>

#include "report/text.h"

namespace cma {
namespace {

constexpr int kStderr = 2;

void PrintHelp() {
  Text text;
  text.Add("cma: CMA_OPTIONS=name=value,...\n");
  text.WriteTo(kStderr);
  const Options defaults;
  for (const OptionInfo& option : kOptions) {
    text.Add("  ").Add(option.name).Add("=").AddNumber(defaults.*option.field);
    text.Add("  ").Add(option.help).Add("\n");
    text.WriteTo(kStderr);
  }
}

bool Equal(const char* name, const char* text, size_t length) {
  return strlen(name) == length && memcmp(name, text, length) == 0;
}

// Characters that two names share, in order from the front and from the back.
size_t Likeness(const char* name, const char* text, size_t length) {
  const size_t n = strlen(name);
  size_t front = 0;
  while (front < n && front < length && name[front] == text[front]) ++front;
  size_t back = 0;
  while (back < n - front && back < length - front && name[n - 1 - back] == text[length - 1 - back]) {
    ++back;
  }
  return front + back;
}

const char* Nearest(const char* text, size_t length) {
  const char* best = kOptions[0].name;
  size_t most = 0;
  for (const OptionInfo& option : kOptions) {
    const size_t likeness = Likeness(option.name, text, length);
    if (likeness > most) {
      most = likeness;
      best = option.name;
    }
  }
  return best;
}

void Complain(const char* what, const char* text, size_t length, const char* nearest) {
  char copy[64];
  const size_t n = length < sizeof copy - 1 ? length : sizeof copy - 1;
  memcpy(copy, text, n);
  copy[n] = '\0';
  Text line;
  line.Add("cma: ").Add(what).Add(" \"").Add(copy).Add("\" in CMA_OPTIONS is ignored");
  if (nearest != nullptr) line.Add("; did you mean ").Add(nearest).Add("?");
  line.Add(" CMA_OPTIONS=help lists all\n").WriteTo(kStderr);
}

bool ParseValue(const char* text, size_t length, uint64_t* value) {
  if (length == 0 || length > 18) return false;
  uint64_t result = 0;
  for (size_t i = 0; i < length; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    result = result * 10 + static_cast<uint64_t>(text[i] - '0');
  }
  *value = result;
  return true;
}

void ParseOne(const char* text, size_t length, Options& options) {
  if (length == 0) return;
  if (Equal("help", text, length)) return PrintHelp();
  const char* equals = static_cast<const char*>(memchr(text, '=', length));
  const size_t name_length = equals != nullptr ? static_cast<size_t>(equals - text) : length;
  for (const OptionInfo& option : kOptions) {
    if (!Equal(option.name, text, name_length)) continue;
    const size_t value_length = length - name_length - (equals != nullptr ? 1 : 0);
    if (equals == nullptr || !ParseValue(equals + 1, value_length, &(options.*option.field))) {
      Complain("the value of", text, length, nullptr);
    }
    return;
  }
  Complain("unknown option", text, name_length, Nearest(text, name_length));
}

}  // namespace

constinit Options g_options;

void ParseOptions(const char* text, Options& options) {
  if (text == nullptr) return;
  for (;;) {
    const char* comma = strchr(text, ',');
    const size_t length = comma != nullptr ? static_cast<size_t>(comma - text) : strlen(text);
    ParseOne(text, length, options);
    if (comma == nullptr) return;
    text = comma + 1;
  }
}

}  // namespace cma
