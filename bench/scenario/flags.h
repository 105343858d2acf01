#ifndef CMA_BENCH_SCENARIO_FLAGS_H_
#define CMA_BENCH_SCENARIO_FLAGS_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace scenario {

// Command-line flags, `--name value` or `--name=value`, read in place: a scenario must not allocate
// before its load starts, and must not need a library that would.
//
// Every flag is asked for once; Finish() then rejects what nobody asked for.
class Flags {
 public:
  Flags(int argc, char** argv, const char* summary)
      : argc_(argc < kMaxArgs ? argc : kMaxArgs), argv_(argv), summary_(summary) {}

  uint64_t Count(const char* name, uint64_t fallback, const char* help) {
    char text[32];
    std::snprintf(text, sizeof text, "%llu", static_cast<unsigned long long>(fallback));
    Remember(name, text, help);
    const char* value = Find(name);
    return value == nullptr ? fallback : ParseCount(name, value);
  }

  double Real(const char* name, double fallback, const char* help) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", fallback);
    Remember(name, text, help);
    const char* value = Find(name);
    return value == nullptr ? fallback : ParseReal(name, value);
  }

  const char* Text(const char* name, const char* fallback, const char* help) {
    Remember(name, fallback, help);
    const char* value = Find(name);
    return value == nullptr ? fallback : value;
  }

  // Ends the program on --help (status 0) or on an argument that no flag took (status 2).
  void Finish() {
    for (int i = 1; i < argc_; ++i) {
      if (taken_[i]) continue;
      if (std::strcmp(argv_[i], "--help") == 0) {
        PrintHelp(stdout);
        std::exit(0);
      }
      std::fprintf(stderr, "%s: unknown argument '%s'\n", argv_[0], argv_[i]);
      PrintHelp(stderr);
      std::exit(2);
    }
  }

  [[noreturn]] void Reject(const char* name, const char* value, const char* wanted) const {
    std::fprintf(stderr, "%s: --%s %s: expected %s\n", argv_[0], name, value, wanted);
    std::exit(2);
  }

 private:
  static constexpr int kMaxArgs = 64;
  static constexpr int kMaxFlags = 32;

  struct Known {
    const char* name;
    const char* help;
    char fallback[32];
  };

  void Remember(const char* name, const char* fallback, const char* help) {
    if (known_count_ == kMaxFlags) return;
    Known& flag = known_[known_count_++];
    flag.name = name;
    flag.help = help;
    std::snprintf(flag.fallback, sizeof flag.fallback, "%s", fallback);
  }

  // The value of the last `--name`; nullptr if it was not given.
  const char* Find(const char* name) {
    const char* value = nullptr;
    const size_t length = std::strlen(name);
    for (int i = 1; i < argc_; ++i) {
      const char* arg = argv_[i];
      if (std::strncmp(arg, "--", 2) != 0 || std::strncmp(arg + 2, name, length) != 0) continue;
      const char* rest = arg + 2 + length;
      if (*rest == '=') {
        taken_[i] = true;
        value = rest + 1;
      } else if (*rest == '\0' && i + 1 < argc_) {
        taken_[i] = taken_[i + 1] = true;
        value = argv_[++i];
      }
    }
    return value;
  }

  uint64_t ParseCount(const char* name, const char* value) const {
    char* end = nullptr;
    const unsigned long long number = std::strtoull(value, &end, 10);
    if (end == value || *end != '\0' || *value == '-') Reject(name, value, "a whole number");
    return number;
  }

  double ParseReal(const char* name, const char* value) const {
    char* end = nullptr;
    const double number = std::strtod(value, &end);
    if (end == value || *end != '\0' || number < 0) Reject(name, value, "a number >= 0");
    return number;
  }

  void PrintHelp(FILE* out) const {
    std::fprintf(out, "%s\n\n", summary_);
    for (int i = 0; i < known_count_; ++i) {
      std::fprintf(out, "  --%-18s %s (default %s)\n", known_[i].name, known_[i].help,
                   known_[i].fallback);
    }
  }

  const int argc_;
  char** const argv_;
  const char* const summary_;
  bool taken_[kMaxArgs] = {};
  Known known_[kMaxFlags];
  int known_count_ = 0;
};

}  // namespace scenario

#endif  // CMA_BENCH_SCENARIO_FLAGS_H_
