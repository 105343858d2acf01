// The heap works from the first constructor to the last handler: in constructors of libraries that
// are opened late, in atexit handlers, in destructors of static and thread-local objects and of
// pthread keys.
//
// cma-test: plain
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <latch>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "preload/cma_in_use.h"
#include "support/opaque.h"
#include "support/pattern.h"

extern char** environ;

namespace {

using namespace cma_test;

// Allocates and frees blocks of every kind; ends the process with 3 if one of them is not sound.
void UseTheHeap() {
  constexpr size_t kSizes[] = {0, 16, 100, 1024, 5000, 40000, 200000, 3000000};
  void* blocks[std::size(kSizes)];
  for (size_t i = 0; i < std::size(kSizes); ++i) {
    blocks[i] = realloc(calloc(1, kSizes[i] / 2), kSizes[i] + 1);
    if (blocks[i] == nullptr) _exit(3);
    FillPattern(blocks[i], kSizes[i], KeyOfAddress(blocks[i]));
  }
  for (size_t i = 0; i < std::size(kSizes); ++i) {
    if (FindDamage(blocks[i], kSizes[i], KeyOfAddress(blocks[i])) != kIntact) _exit(3);
    free(blocks[i]);
  }
}

// Reaches the heap in its constructor, before main, and in its destructor, after main.
class User {
 public:
  User() : block_(malloc(100)) { UseTheHeap(); }
  ~User() {
    free(block_);
    UseTheHeap();
  }
  void Touch() { memset(block_, 1, 100); }

 private:
  void* block_;
};

User g_early __attribute__((init_priority(101)));
User g_late;

class LifetimeTest : public testing::Test {
 protected:
  // Handlers of the whole process are tested in a process of their own.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

using LifetimeDeathTest = LifetimeTest;

TEST_F(LifetimeDeathTest, AtexitHandlersMayAllocateAndFree) {
  EXPECT_EXIT(
      {
        static void* const block = malloc(5000);
        atexit([] {
          free(block);
          UseTheHeap();
          atexit(UseTheHeap);  // once more, while handlers run
        });
        on_exit([](int, void* other) { free(other); }, malloc(20));
        g_early.Touch();
        g_late.Touch();
        exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(LifetimeDeathTest, QuickExitHandlersMayAllocateAndFree) {
  EXPECT_EXIT(
      {
        at_quick_exit(UseTheHeap);
        quick_exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(LifetimeDeathTest, ThreadsThatStillRunAtExitMayAllocateAndFree) {
  EXPECT_EXIT(
      {
        for (int i = 0; i < 4; ++i) {
          std::thread([] {
            for (;;) UseTheHeap();
          }).detach();
        }
        UseTheHeap();
        exit(0);
      },
      testing::ExitedWithCode(0), "");
}

thread_local User t_user;

TEST_F(LifetimeDeathTest, ThreadLocalObjectsOfTheMainThreadMayAllocateAndFree) {
  EXPECT_EXIT(
      {
        t_user.Touch();
        exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(LifetimeTest, ThreadLocalObjectsOfAThreadMayAllocateAndFree) {
  for (int i = 0; i < 100; ++i) std::thread([] { t_user.Touch(); }).join();
}

// A key whose destructor sets it again comes back in every round that POSIX allows, the last of
// them long after everything else of the thread has ended.
pthread_key_t g_key;

void AllocateInEveryRound(void* block) {
  free(block);
  UseTheHeap();
  pthread_setspecific(g_key, malloc(64));
}

TEST_F(LifetimeTest, TheLastDestructorOfAThreadMayAllocateAndFree) {
  ASSERT_EQ(pthread_key_create(&g_key, AllocateInEveryRound), 0);

  for (int i = 0; i < 100; ++i) {
    std::thread([] {
      pthread_setspecific(g_key, malloc(64));
      t_user.Touch();
    }).join();
  }

  EXPECT_EQ(pthread_key_delete(g_key), 0);
}

TEST_F(LifetimeTest, ThreadsThatEndInDestructorsLeaveNothingCached) {
  SKIP_WITHOUT_CMA();
  pthread_key_t key;
  ASSERT_EQ(pthread_key_create(&key, [](void* block) { free(block), UseTheHeap(); }), 0);
  const auto run_threads = [key] {
    for (int i = 0; i < 200; ++i) {
      std::thread([key] { pthread_setspecific(key, malloc(64)); }).join();
    }
  };
  // The last thread's cache waits for another one, or until the next round.
  const auto stats = [] {
    malloc_trim(0);
    return CmaStats();
  };
  run_threads();
  const cma_stats before = stats();

  run_threads();

  const cma_stats after = stats();
  EXPECT_EQ(after.threads, before.threads);
  EXPECT_LE(after.thread_cached_bytes, before.thread_cached_bytes + 65536);
  EXPECT_LE(after.live_bytes, before.live_bytes + 65536);
  pthread_key_delete(key);
}

struct TextHolder {
  static void* Run(void* self) {
    auto* const holder = static_cast<TextHolder*>(self);
    EXPECT_NE(strerror(77777), nullptr);
    holder->has_text.release();
    holder->may_end.acquire();
    return nullptr;
  }
  std::binary_semaphore has_text{0};
  std::binary_semaphore may_end{0};
};

// glibc frees the text of strerror when all destructors have run. A thread that had no cache until
// then, as all arenas had a thread, would be given the one that another thread has just left, and
// nobody would end it.
TEST_F(LifetimeTest, AThreadThatEndsIsGivenNoCache) {
  SKIP_WITHOUT_CMA();
  std::latch all_taken(std::thread::hardware_concurrency() + 2);
  std::latch may_end(1);
  std::vector<std::thread> others;
  for (unsigned i = 0; i < std::thread::hardware_concurrency() + 1; ++i) {
    others.emplace_back([&] {
      free(Opaque(malloc(100)));
      all_taken.arrive_and_wait();
      may_end.wait();
    });
  }
  all_taken.arrive_and_wait();
  const size_t before = CmaStats().threads;

  for (int i = 0; i < 5; ++i) {
    TextHolder holder;
    pthread_t thread;  // a std::thread frees its own state before
    ASSERT_EQ(pthread_create(&thread, nullptr, TextHolder::Run, &holder), 0);
    holder.has_text.acquire();
    std::thread([] {
      for (int k = 0; k < 300; ++k) free(Opaque(malloc(100)));
    }).join();
    holder.may_end.release();
    pthread_join(thread, nullptr);
  }

  EXPECT_EQ(CmaStats().threads, before);
  may_end.count_down();
  for (std::thread& other : others) other.join();
}

// A library that allocates in its constructor, keeps the block, and frees it in its destructor.
constexpr char kLibrarySource[] = R"(
#include <stdlib.h>
#include <string.h>
#include <string>
static void* block;
static thread_local std::string name;
__attribute__((constructor)) static void Load() { block = calloc(100, 100); memset(block, 1, 10000); }
__attribute__((destructor)) static void Unload() { free(block); free(malloc(300000)); }
static std::string text(5000, 'x');
extern "C" void* GiveBlock(size_t size) { name = std::string(200, 'n'); return malloc(size); }
)";

// A directory that goes away with the test.
class Library {
 public:
  Library() {
    directory_ = testing::TempDir() + "cma_lifetime_XXXXXX";
    if (mkdtemp(directory_.data()) == nullptr) return;
    const std::string source = directory_ + "/library.cc";
    if (FILE* const file = fopen(source.c_str(), "w")) {
      fputs(kLibrarySource, file);
      fclose(file);
    }
    std::vector<std::string> words = {"c++", "-shared", "-fPIC", "-o", path(), source};
    std::vector<char*> command;
    for (std::string& word : words) command.push_back(word.data());
    command.push_back(nullptr);
    pid_t compiler;
    int status = -1;
    built_ = posix_spawnp(&compiler, "c++", nullptr, nullptr, command.data(), environ) == 0 &&
             waitpid(compiler, &status, 0) == compiler && status == 0;
  }
  ~Library() {
    for (const char* name : {"/library.cc", "/library.so", ""}) remove((directory_ + name).c_str());
  }
  bool built() const { return built_; }
  std::string path() const { return directory_ + "/library.so"; }

 private:
  std::string directory_;
  bool built_ = false;
};

TEST_F(LifetimeTest, ALibraryThatIsOpenedLateMayAllocateWhereverItLikes) {
  const Library library;
  if (!library.built()) GTEST_SKIP() << "no C++ compiler";
  for (int i = 0; i < 10; ++i) {
    void* const handle = dlopen(library.path().c_str(), RTLD_NOW);
    ASSERT_NE(handle, nullptr) << dlerror();
    const auto give_block = reinterpret_cast<void* (*)(size_t)>(dlsym(handle, "GiveBlock"));
    ASSERT_NE(give_block, nullptr);
    void* block = nullptr;
    std::thread([&] { block = give_block(1000); }).join();
    memset(block, 2, 1000);

    EXPECT_EQ(dlclose(handle), 0);

    EXPECT_GE(malloc_usable_size(block), 1000u);
    free(block);
  }
}

TEST_F(LifetimeTest, ClosingCmaItselfDoesNotUnloadIt) {
  SKIP_WITHOUT_CMA();
  void* const block = malloc(100);
  void* const handle = dlopen(FileOf(dlsym(RTLD_DEFAULT, "cma_version")).c_str(), RTLD_NOW);
  ASSERT_NE(handle, nullptr) << dlerror();

  dlclose(handle);
  dlclose(handle);

  UseTheHeap();
  free(block);
}

}  // namespace
