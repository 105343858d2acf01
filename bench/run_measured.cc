// run_measured: starts one program and appends what it used to a file.
//
//   run_measured [--preload A.so:B.so] --report FILE -- PROGRAM ARGUMENT...
//
// The peak RSS of a process counts from its fork, so a large parent (an interpreter, say) would
// show up in its child's figure. This one is small. LD_PRELOAD is set for the program only.
// The report is one line:  seconds= user_seconds= system_seconds= max_rss_kib= status=

#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Order {
  const char* preload = nullptr;
  const char* report = nullptr;
  char** command = nullptr;
};

[[noreturn]] void Usage() {
  std::fprintf(stderr, "usage: run_measured [--preload LIBRARIES] --report FILE -- PROGRAM ...\n");
  std::exit(125);
}

Order ReadOrder(int argc, char** argv) {
  Order order;
  int i = 1;
  for (; i + 1 < argc && std::strcmp(argv[i], "--") != 0; i += 2) {
    if (std::strcmp(argv[i], "--preload") == 0) {
      order.preload = argv[i + 1];
    } else if (std::strcmp(argv[i], "--report") == 0) {
      order.report = argv[i + 1];
    } else {
      Usage();
    }
  }
  if (i + 1 >= argc || order.report == nullptr) Usage();
  order.command = argv + i + 1;
  return order;
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

[[noreturn]] void Become(const Order& order) {
  if (order.preload != nullptr && *order.preload != '\0') setenv("LD_PRELOAD", order.preload, 1);
  execvp(order.command[0], order.command);
  std::perror(order.command[0]);
  _exit(127);
}

void WriteReport(const char* path, double seconds, const rusage& used, int status) {
  FILE* report = std::fopen(path, "a");
  if (report == nullptr) {
    std::perror(path);
    std::exit(125);
  }
  std::fprintf(report,
               "seconds=%.6f user_seconds=%.6f system_seconds=%.6f max_rss_kib=%ld status=%d\n",
               seconds, Seconds(used.ru_utime), Seconds(used.ru_stime), used.ru_maxrss, status);
  std::fclose(report);
}

}  // namespace

int main(int argc, char** argv) {
  const Order order = ReadOrder(argc, argv);
  const double start = Now();
  const pid_t child = fork();
  if (child < 0) {
    std::perror("fork");
    return 125;
  }
  if (child == 0) Become(order);
  int status = 0;
  rusage used;
  while (wait4(child, &status, 0, &used) < 0) {
  }
  WriteReport(order.report, Now() - start, used, status);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
