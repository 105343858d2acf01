// What 1,000 threads that have allocated and now wait cost, beyond what they would cost had they
// never allocated. Each case runs in a process of its own, and all threads are there before the
// first allocates.
//
//   idle_threads_stress [--threads N]
//
// cma-test: serial plain not=thread,address
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <vector>

#include "stress/program.h"
#include "support/deadline.h"
#include "support/process_memory.h"

namespace {

using namespace cma_test;

using Work = void (*)();

void Nothing() {}

// 100 blocks, all freed: number i has `size + i * step` bytes.
void HundredBlocks(size_t size, size_t step) {
  void* blocks[100];
  for (size_t i = 0; i < std::size(blocks); ++i) {
    blocks[i] = malloc(size + i * step);
    memset(blocks[i], 1, size + i * step);
  }
  for (void* block : blocks) free(block);
}

void FewSizes() {
  HundredBlocks(32, 0);
  HundredBlocks(64, 0);
}

void EverySmallSize() { HundredBlocks(16, 10); }

// A burst: 512 KiB of small blocks at a time, often.
void ABurst() {
  for (int round = 0; round < 20; ++round) {
    void* list = nullptr;
    size_t bytes = 0;
    for (size_t i = 0; bytes < 512 * kKiB; ++i) {
      const size_t size = 16 + i % 64 * 16;
      void* const block = malloc(size);
      memset(block, 1, size);
      memcpy(block, &list, sizeof(list));
      list = block;
      bytes += size;
    }
    while (list != nullptr) {
      void* const block = list;
      memcpy(&list, block, sizeof(list));
      free(block);
    }
  }
}

struct Scene {
  Work work;
  pthread_barrier_t barrier;
  sem_t turn;  // few work at the same time, as few CPUs as there are
};

void* Body(void* argument) {
  auto* const scene = static_cast<Scene*>(argument);
  volatile char stack[16 * kKiB];  // the same stack is resident in every case
  for (size_t i = 0; i < sizeof(stack); i += 1024) stack[i] = 0;
  pthread_barrier_wait(&scene->barrier);  // all are there
  sem_wait(&scene->turn);
  scene->work();
  sem_post(&scene->turn);
  pthread_barrier_wait(&scene->barrier);  // all have worked
  pthread_barrier_wait(&scene->barrier);  // measured
  return nullptr;
}

struct Measured {
  size_t at_once = 0;
  size_t later = 0;  // the least within the next two seconds
};

Measured RunScene(Work work, size_t threads) {
  Scene scene;
  scene.work = work;
  pthread_barrier_init(&scene.barrier, nullptr, static_cast<unsigned>(threads + 1));
  sem_init(&scene.turn, 0, 4);
  std::vector<pthread_t> all(threads);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * kKiB);
  for (pthread_t& thread : all) {
    if (pthread_create(&thread, &attributes, Body, &scene) != 0) Fail("no thread");
  }
  pthread_barrier_wait(&scene.barrier);
  pthread_barrier_wait(&scene.barrier);
  Measured measured;
  measured.at_once = measured.later = ResidentBytes();
  WaitUntil(
      [&] {
        const size_t now = ResidentBytes();
        if (now < measured.later) measured.later = now;
        return false;
      },
      std::chrono::seconds(work == Nothing ? 0 : 2));
  pthread_barrier_wait(&scene.barrier);
  for (const pthread_t thread : all) pthread_join(thread, nullptr);
  return measured;
}

Measured RunInProcess(Work work, size_t threads) {
  int ends[2];
  if (pipe(ends) != 0) Fail("pipe");
  const pid_t child = fork();
  if (child == 0) {
    const Measured measured = RunScene(work, threads);
    _exit(write(ends[1], &measured, sizeof(measured)) == sizeof(measured) ? 0 : 1);
  }
  close(ends[1]);
  Measured measured;
  const bool told = read(ends[0], &measured, sizeof(measured)) == sizeof(measured);
  close(ends[0]);
  int status = -1;
  waitpid(child, &status, 0);
  if (!told || status != 0) Fail("the measured process ended with status %#x", status);
  return measured;
}

double KiBEach(size_t bytes, size_t base, size_t threads) {
  return (static_cast<double>(bytes) - static_cast<double>(base)) / static_cast<double>(threads) /
         static_cast<double>(kKiB);
}

bool Judge(const char* name, const Measured& measured, size_t base, size_t threads, double limit) {
  const double at_once = KiBEach(measured.at_once, base, threads);
  const double later = KiBEach(measured.later, base, threads);
  printf("%s: %.1f KiB per idle thread at once, %.1f KiB within 2 s (limit %.0f)\n", name, at_once,
         later, limit);
  return later < limit;
}

}  // namespace

int main(int argc, char** argv) {
  NameTheAllocator();
  fflush(stdout);
  const size_t threads = Argument(argc, argv, "threads", 1000);
  const size_t base = RunInProcess(Nothing, threads).at_once;
  printf("%zu threads that never allocate: RSS %.1f MiB\n", threads, InMiB(base));
  const bool cma = kPrefixed || CmaIsPreloaded();
  const struct {
    const char* name;
    Work work;
    double kib_each;
  } cases[] = {
      {"100 blocks of 32 and 100 of 64 bytes", FewSizes, 24},
      {"100 blocks of 16 to 1,006 bytes", EverySmallSize, 128},
      {"bursts of 512 KiB", ABurst, 128},
  };
  bool good = true;
  for (const auto& [name, work, limit] : cases) {
    good &= Judge(name, RunInProcess(work, threads), base, threads, cma ? limit : 1000);
  }
  if (!good) Fail("idle threads keep too much");
}
