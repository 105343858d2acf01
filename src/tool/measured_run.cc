#include "tool/measured_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cma::tool {
namespace {

// Beyond this share of one processor, used by others, a run counts as disturbed.
constexpr double kMostForeignWork = 0.25;
// Shorter runs count as this long: the kernel tells the work of each processor in steps of 10 ms.
constexpr double kShortestJudged = 0.15;
// Figures stand at the end of what a program prints: more than this is not kept.
constexpr size_t kKeptOutput = 256 * 1024;
constexpr int kPollMs = 50;
// Until the next look at a process that has closed its output.
constexpr unsigned kClosedWaitUs = 5'000;
// Between asking a program to end and ending it.
constexpr double kGraceSeconds = 2;

volatile std::sig_atomic_t g_interrupted = 0;

double Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Seconds that all processors have spent working; nothing if the system does not say.
std::optional<double> BusySeconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  double user, nice, system, idle, iowait, irq, softirq, steal;
  if (!(file >> word >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal)) {
    return std::nullopt;
  }
  return (user + nice + system + irq + softirq + steal) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// A file that is gone when this is.
class ScratchFile {
 public:
  ScratchFile() {
    const int fd = mkstemp(path_);
    if (fd >= 0) close(fd);
  }
  ~ScratchFile() { unlink(path_); }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  const char* path() const { return path_; }
  std::string Read() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

 private:
  char path_[32] = "/tmp/cma-bench-XXXXXX";
};

std::map<std::string, double, std::less<>> Figures(absl::string_view text) {
  std::map<std::string, double, std::less<>> figures;
  for (const absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \t\r\n"))) {
    const size_t equals = word.find('=');
    double value;
    if (equals != absl::string_view::npos && absl::SimpleAtod(word.substr(equals + 1), &value)) {
      figures[std::string(word.substr(0, equals))] = value;
    }
  }
  return figures;
}

absl::string_view LastLine(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  const size_t newline = text.rfind('\n');
  return newline == absl::string_view::npos ? text : text.substr(newline + 1);
}

// The launcher, in a process group of its own, with its output in a pipe.
class Child {
 public:
  absl::Status Start(const std::vector<std::string>& command, const char* error_file) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return Failure("pipe", errno);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, error_file, O_WRONLY | O_APPEND, 0);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const int error = posix_spawn(&pid_, argv[0], &actions, &attributes, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    output_fd_ = ends[0];
    return error == 0 ? absl::OkStatus() : Failure(command[0], error);
  }

  ~Child() {
    if (output_fd_ >= 0) close(output_fd_);
  }

  // Waits for its end; its status as waitpid(2) has it.
  absl::StatusOr<int> Wait(double timeout_seconds) {
    const double deadline = Now() + timeout_seconds;
    int status = 0;
    for (;;) {
      ReadSome();
      const pid_t ended = waitpid(pid_, &status, WNOHANG);
      if (ended == pid_) break;
      if (ended < 0 && errno != EINTR) return Failure("waitpid", errno);
      if (Interrupted()) return End(absl::CancelledError("interrupted"));
      if (Now() > deadline) {
        return End(
            absl::DeadlineExceededError(absl::StrCat("no end after ", timeout_seconds, " s")));
      }
    }
    while (ReadSome()) {
    }
    return status;
  }

  const std::string& output() const { return output_; }

 private:
  static absl::Status Failure(absl::string_view what, int error) {
    return absl::InternalError(absl::StrCat(what, ": ", std::strerror(error)));
  }

  // First asked, so that a script can tidy up, then made to.
  absl::Status End(absl::Status reason) {
    kill(-pid_, SIGTERM);
    const double deadline = Now() + kGraceSeconds;
    while (kill(-pid_, 0) == 0 && Now() < deadline) {
      waitpid(pid_, nullptr, WNOHANG);
      usleep(kClosedWaitUs);
    }
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    return reason;
  }

  // Takes what there is, or comes within a moment; false if that is nothing.
  bool ReadSome() {
    pollfd wait = {.fd = output_fd_, .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, kPollMs) <= 0) return false;
    if ((wait.revents & POLLIN) == 0) {  // closed, and the process perhaps not yet gone
      usleep(kClosedWaitUs);
      return false;
    }
    char buffer[16 * 1024];
    const ssize_t n = read(output_fd_, buffer, sizeof buffer);
    if (n <= 0) return false;
    output_.append(buffer, static_cast<size_t>(n));
    if (output_.size() > 2 * kKeptOutput) output_.erase(0, output_.size() - kKeptOutput);
    return true;
  }

  pid_t pid_ = -1;
  int output_fd_ = -1;
  std::string output_;
};

}  // namespace

absl::StatusOr<MeasuredRun> RunMeasured(const std::string& launcher, const std::string& library,
                                        const std::vector<std::string>& command,
                                        double timeout_seconds) {
  const ScratchFile report;
  const ScratchFile errors;
  std::vector<std::string> full = {launcher, "--preload", library, "--report", report.path(), "--"};
  full.insert(full.end(), command.begin(), command.end());

  const std::optional<double> busy_before = BusySeconds();
  Child child;
  if (absl::Status status = child.Start(full, errors.path()); !status.ok()) return status;
  const absl::StatusOr<int> status = child.Wait(timeout_seconds);
  if (!status.ok()) return status.status();
  const std::optional<double> busy_after = BusySeconds();

  const std::string messages = errors.Read();
  if (*status != 0) {
    const int code = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
    const absl::string_view message = LastLine(messages);
    return absl::InternalError(absl::StrCat(code > 128 ? "signal " : "exit status ",
                                            code > 128 ? code - 128 : code,
                                            message.empty() ? "" : ": ", message));
  }
  if (absl::StrContains(messages, "cannot be preloaded")) {
    return absl::InternalError(absl::StrCat(library, " cannot be preloaded"));
  }
  const auto costs = Figures(report.Read());
  if (!costs.contains("seconds")) return absl::InternalError("it left no report");
  MeasuredRun run;
  run.seconds = costs.at("seconds");
  run.cpu_seconds = costs.at("user_seconds") + costs.at("system_seconds");
  run.peak_rss_kib = costs.at("max_rss_kib");
  run.figures = Figures(child.output());
  if (busy_before.has_value() && busy_after.has_value()) {
    const double foreign = *busy_after - *busy_before - run.cpu_seconds;
    run.disturbed = foreign > kMostForeignWork * std::max(run.seconds, kShortestJudged);
  }
  return run;
}

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { g_interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one ends this process
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return g_interrupted != 0; }

}  // namespace cma::tool
