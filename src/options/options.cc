#include "options/options.h"

#include <string.h>

#include "options/option_value.h"
#include "options/profiles.h"
#include "os/os_output.h"
#include "report/text.h"

namespace cma {
namespace {

constexpr int kStderr = 2;

void AddSetting(Text& text, const ProfileSetting& setting) {
  for (const OptionInfo& option : kOptions) {
    if (option.field != setting.field) continue;
    text.Add(option.name).Add("=");
    AddValue(text, option, setting.value);
  }
}

void PrintHelp() {
  Text text;
  text.Add("cma: CMA_OPTIONS=name=value,...\n");
  text.WriteTo(kStderr);
  const Options defaults;
  for (const OptionInfo& option : kOptions) {
    text.Add("  ").Add(option.name).Add("=");
    AddValue(text, option, defaults.*option.field);
    text.Add("  ").Add(option.help).Add(" [");
    AddRange(text, option);
    text.Add("]\n");
    text.WriteTo(kStderr);
  }
  for (const ProfileSetting& setting : kProfileSettings) {
    text.Add("  profile=").Add(kProfileWords[static_cast<size_t>(setting.profile)]).Add(" sets ");
    AddSetting(text, setting);
    text.Add("\n").WriteTo(kStderr);
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
  while (back < n - front && back < length - front &&
         name[n - 1 - back] == text[length - 1 - back]) {
    ++back;
  }
  return front + back;
}

// Of several names, fetched one by one; nullptr if none is half like it.
template <typename NameAt>
const char* Nearest(size_t count, NameAt name_at, const char* text, size_t length) {
  const char* best = nullptr;
  size_t most = (length - 1) / 2;
  for (size_t i = 0; i < count; ++i) {
    const size_t likeness = Likeness(name_at(i), text, length);
    if (likeness > most) {
      most = likeness;
      best = name_at(i);
    }
  }
  return best;
}

constexpr size_t kOptionCount = sizeof kOptions / sizeof *kOptions;

// name=value, taken apart. Not ended by a null.
struct Item {
  const char* name;
  size_t name_length;
  const char* value;  // nullptr if there is no '='
  size_t value_length;

  size_t length() const { return name_length + (value != nullptr ? value_length + 1 : 0); }
};

Item Split(const char* text, size_t length) {
  const auto* equals = static_cast<const char*>(memchr(text, '=', length));
  if (equals == nullptr) return {text, length, nullptr, 0};
  const auto name_length = static_cast<size_t>(equals - text);
  return {text, name_length, equals + 1, length - name_length - 1};
}

// Shows up to 63 characters of what the user wrote.
Text& AddQuoted(Text& line, const char* text, size_t length) {
  char copy[64];
  const size_t n = length < sizeof copy - 1 ? length : sizeof copy - 1;
  memcpy(copy, text, n);
  copy[n] = '\0';
  return line.Add(" \"").Add(copy).Add("\" in CMA_OPTIONS is ignored");
}

Text& AddNearest(Text& line, const char* nearest) {
  return nearest != nullptr ? line.Add("; did you mean ").Add(nearest).Add("?") : line;
}

void ReportUnknownName(const Item& item) {
  const char* nearest = Nearest(
      kOptionCount, [](size_t i) { return kOptions[i].name; }, item.name, item.name_length);
  Text line;
  AddQuoted(line.Add("cma: unknown option"), item.name, item.name_length);
  AddNearest(line, nearest).Add("; CMA_OPTIONS=help lists all\n").WriteTo(kStderr);
}

void ReportBadValue(const OptionInfo& option, const Item& item) {
  Text line;
  AddQuoted(line.Add("cma: the value of"), item.name, item.length());
  if (option.unit == OptionUnit::kWord && item.value_length != 0) {
    const char* nearest = Nearest(
        option.most + 1, [&option](size_t i) { return option.words[i]; }, item.value,
        item.value_length);
    AddNearest(line, nearest);
  }
  AddRange(line.Add("; it takes "), option);
  line.Add("; CMA_OPTIONS=help lists all\n").WriteTo(kStderr);
}

bool ParseItem(const OptionInfo& option, const Item& item, Options& options) {
  uint64_t value;
  if (item.value == nullptr || !ParseValue(option, item.value, item.value_length, &value)) {
    return false;
  }
  options.*option.field = value;
  return true;
}

// False if it was not understood.
bool ParseOne(const Item& item, Options& options) {
  if (item.value == nullptr && Equal("help", item.name, item.name_length)) {
    PrintHelp();
    return true;
  }
  const OptionInfo* option = FindOption(item.name, item.name_length);
  if (option == nullptr) {
    ReportUnknownName(item);
    return false;
  }
  if (ParseItem(*option, item, options)) return true;
  ReportBadValue(*option, item);
  return false;
}

template <typename Visit>
void ForEachItem(const char* text, Visit visit) {
  for (;;) {
    const auto length = static_cast<size_t>(strchrnul(text, ',') - text);
    if (length != 0) visit(Split(text, length));
    if (text[length] == '\0') return;
    text += length + 1;
  }
}

}  // namespace

constinit Options g_options;

const OptionInfo* FindOption(const char* name, size_t length) {
  for (const OptionInfo& option : kOptions) {
    if (Equal(option.name, name, length)) return &option;
  }
  return nullptr;
}

void ParseOptions(const char* text, Options& options) {
  // First, so that what else is given wins over it in any order.
  ForEachItem(text, [&options](const Item& item) {
    const OptionInfo* option = FindOption(item.name, item.name_length);
    if (option != nullptr && option->field == &Options::profile) ParseItem(*option, item, options);
  });
  ApplyProfile(static_cast<Profile>(uint64_t{options.profile}), options);
  bool understood = true;
  ForEachItem(text, [&](const Item& item) { understood &= ParseOne(item, options); });
  if (understood || options.strict == 0) return;
  Text()
      .Add("cma: CMA_OPTIONS holds what cma does not understand, and strict=1; aborting\n")
      .WriteTo(kStderr);
  OsAbort();
}

SetResult SetOption(const char* name, const char* value, Options& options) {
  const OptionInfo* option = FindOption(name, strlen(name));
  if (option == nullptr) return SetResult::kUnknownName;
  if (option->change == OptionChange::kAtStart) return SetResult::kFixedAtStart;
  const Item item = {option->name, 0, value, strlen(value)};
  return ParseItem(*option, item, options) ? SetResult::kSet : SetResult::kBadValue;
}

}  // namespace cma
