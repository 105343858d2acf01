#include "report/fault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <string>

namespace cma {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::KilledBySignal;
using testing::Not;

MATCHER(IsOneLineOfCma, "") {
  return arg.rfind("cma: ", 0) == 0 && arg.back() == '\n' &&
         std::count(arg.begin(), arg.end(), '\n') == 1;
}

const void* const kPointer = reinterpret_cast<const void*>(0x7f3a12c04080);

TEST(FaultDeathTest, ADoubleFreeNamesTheBlockAndItsSizeClass) {
  EXPECT_EXIT(ReportDoubleFree(kPointer, 64), KilledBySignal(SIGABRT),
              AllOf(IsOneLineOfCma(), HasSubstr("double free of 0x7f3a12c04080"),
                    HasSubstr("size class 64 B"), HasSubstr("aborting; ")));
}

TEST(FaultDeathTest, ADoubleFreeOfABlockWithoutAClassSaysSo) {
  EXPECT_EXIT(ReportDoubleFree(kPointer, 0), KilledBySignal(SIGABRT),
              AllOf(IsOneLineOfCma(), HasSubstr("double free of 0x7f3a12c04080"),
                    HasSubstr("(no size class)")));
}

TEST(FaultDeathTest, AFreedBlockThatIsFreedAgainIsADoubleFree) {
  EXPECT_EXIT(ReportFreedBlock("free", kPointer, 128), KilledBySignal(SIGABRT),
              AllOf(IsOneLineOfCma(), HasSubstr("double free"), HasSubstr("size class 128 B")));
}

TEST(FaultDeathTest, AFreedBlockThatIsReallocatedNamesTheOperation) {
  EXPECT_EXIT(ReportFreedBlock("realloc", kPointer, 128), KilledBySignal(SIGABRT),
              AllOf(IsOneLineOfCma(), HasSubstr("invalid realloc of 0x7f3a12c04080"),
                    HasSubstr("size class 128 B"), HasSubstr("already free")));
}

TEST(FaultDeathTest, APointerIntoFreeMemoryIsNotSaidToHaveBeenABlock) {
  EXPECT_EXIT(ReportFreeMemory("free", kPointer), KilledBySignal(SIGABRT),
              AllOf(IsOneLineOfCma(), HasSubstr("double free of 0x7f3a12c04080 (no size class)"),
                    HasSubstr("freed before or never given out")));
  EXPECT_EXIT(ReportFreeMemory("realloc", kPointer), KilledBySignal(SIGABRT),
              AllOf(IsOneLineOfCma(), HasSubstr("invalid realloc of 0x7f3a12c04080")));
}

TEST(FaultDeathTest, AnInteriorPointerIsNotTheStartOfABlock) {
  EXPECT_EXIT(ReportInteriorPointer("free", kPointer, 48), KilledBySignal(SIGABRT),
              AllOf(IsOneLineOfCma(), HasSubstr("invalid free of 0x7f3a12c04080"),
                    HasSubstr("size class 48 B"), HasSubstr("not the start of a block")));
}

TEST(FaultDeathTest, AForeignPointerWasNeverGivenOut) {
  EXPECT_EXIT(ReportForeignPointer("malloc_usable_size", kPointer), KilledBySignal(SIGABRT),
              AllOf(IsOneLineOfCma(), HasSubstr("invalid malloc_usable_size of 0x7f3a12c04080"),
                    HasSubstr("never gave this pointer out")));
}

TEST(FaultDeathTest, NoMemoryNamesTheSize) {
  EXPECT_EXIT(ReportNoMemory(123456), KilledBySignal(SIGABRT),
              AllOf(IsOneLineOfCma(), HasSubstr("out of memory"), HasSubstr("123456 B"),
                    HasSubstr("link a static program with -Wl,-u,_ZSt17__throw_bad_allocv")));
}

TEST(FaultDeathTest, CorruptionSaysWhatAndWhere) {
  EXPECT_EXIT(ReportCorruption("a test was run", kPointer), KilledBySignal(SIGABRT),
              AllOf(IsOneLineOfCma(), HasSubstr("heap corruption: a test was run"),
                    HasSubstr("0x7f3a12c04080")));
}

}  // namespace
}  // namespace cma
