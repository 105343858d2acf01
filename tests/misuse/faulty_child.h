// Runs a fault in a child process and says how it ended. For the faults that may end in more than
// one way, or whose report is compared with what the child knew; the others are plain death tests.
#ifndef CMA_TESTS_MISUSE_FAULTY_CHILD_H_
#define CMA_TESTS_MISUSE_FAULTY_CHILD_H_

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

namespace cma_test {

struct Outcome {
  int status = 0;      // as of waitpid()
  std::string errors;  // what the child wrote to stderr
  uintptr_t told = 0;  // what the child gave to `tell`

  bool Exited(int code) const { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
  bool Aborted() const { return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT; }
  // Aborted with a report of cma's.
  bool Reported() const { return Aborted() && errors.rfind("cma: ", 0) == 0; }
  std::string Told() const {
    char text[32];
    snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(told));
    return text;
  }
};

inline std::string ReadAll(int fd) {
  std::string text;
  char buffer[1024];
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
  }
  return text;
}

// `fault(tell)` returns the exit code of the child, unless it ends before. A child that hangs is
// ended by SIGALRM.
template <typename Fault>
Outcome RunInChild(Fault fault) {
  constexpr unsigned kSecondsAtMost = 60;
  int errors[2], facts[2];
  if (pipe(errors) != 0 || pipe(facts) != 0) return {};
  fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(errors[1], STDERR_FILENO);
    alarm(kSecondsAtMost);
    _exit(fault([&](const void* fact) {
      const auto address = reinterpret_cast<uintptr_t>(fact);
      if (write(facts[1], &address, sizeof(address)) != sizeof(address)) _exit(99);
    }));
  }
  close(errors[1]);
  close(facts[1]);
  Outcome outcome;
  outcome.errors = ReadAll(errors[0]);
  if (read(facts[0], &outcome.told, sizeof(outcome.told)) != sizeof(outcome.told)) outcome.told = 0;
  close(errors[0]);
  close(facts[0]);
  waitpid(child, &outcome.status, 0);
  return outcome;
}

}  // namespace cma_test

#endif  // CMA_TESTS_MISUSE_FAULTY_CHILD_H_
