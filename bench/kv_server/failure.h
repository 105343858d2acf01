#ifndef CMA_BENCH_KV_SERVER_FAILURE_H_
#define CMA_BENCH_KV_SERVER_FAILURE_H_

namespace kv {

// Ends the program with status 1 and a line that names `what` and errno.
[[noreturn]] void FailWithErrno(const char* what);

// The result of a system call that must not fail.
inline int Checked(int result, const char* what) {
  if (result < 0) FailWithErrno(what);
  return result;
}

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_FAILURE_H_
