// What `cma doctor` concludes from the lists that the loader and the kernel give it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tool/loaded_file.h"
#include "tool/malloc_report.h"
#include "tool/process_files.h"
#include "tool/program_files.h"
#include "tool/system_facts.h"

namespace cma::tool {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

LoadedFile File(const std::string& path, const std::string& soname, std::vector<std::string> needed,
                std::vector<std::string> functions) {
  LoadedFile file;
  file.path = path;
  file.elf.soname = soname;
  file.elf.needed = std::move(needed);
  file.elf.exports.insert(functions.begin(), functions.end());
  file.elf.symbols = file.elf.exports;
  return file;
}

LoadedFile Cma() {
  return File("/opt/libcma.so.0.1.0", "libcma.so.0", {"libc.so.6"},
              {"malloc", "free", "calloc", "realloc", "cfree", "cma_malloc", "aligned_alloc",
               "_Znwm", "_ZdlPv", "_ZdlPvm"});
}

LoadedFile Libc() {
  return File(
      "/lib/libc.so.6", "libc.so.6", {},
      {"malloc", "free", "calloc", "realloc", "cfree", "aligned_alloc", "gnu_get_libc_version"});
}

std::vector<std::string> Paths(const std::vector<LoadedFile>& files) {
  std::vector<std::string> paths;
  for (const LoadedFile& file : files) paths.push_back(file.path);
  return paths;
}

TEST(LoaderListTest, KeepsThePathsAndTheOrder) {
  std::vector<std::string> missing;
  EXPECT_THAT(ParseLoaderList("\tlinux-vdso.so.1 (0x00007ffd7a5f2000)\n"
                              "\t/opt/libcma.so (0x00007f2d1c000000)\n"
                              "\tlibgone.so => not found\n"
                              "\tlibc.so.6 => /lib/libc.so.6 (0x00007f2d1be00000)\n"
                              "\t/lib64/ld-linux-x86-64.so.2 (0x00007f2d1c3c8000)\n",
                              missing),
              ElementsAre("/opt/libcma.so", "/lib/libc.so.6", "/lib64/ld-linux-x86-64.so.2"));
  EXPECT_THAT(missing, ElementsAre("libgone.so"));
}

TEST(LoaderListTest, TakesNoMessageForAPath) {
  std::vector<std::string> missing;
  EXPECT_THAT(ParseLoaderList("ERROR: ld.so: object '/no.so' from LD_PRELOAD cannot be preloaded\n"
                              "\tstatically linked\n",
                              missing),
              IsEmpty());
}

TEST(MapsTest, ListsMappedCodeOnce) {
  std::vector<std::string> paths;
  std::vector<std::string> ranges;
  for (const MappedFile& file :
       ParseMaps("55d0-55e0 r--p 00000000 08:01 131 /usr/bin/a b\n"
                 "55e0-55f0 r-xp 00001000 08:01 131 /usr/bin/a b\n"
                 "55f0-5600 r-xp 00002000 08:01 131                          /usr/bin/a b\n"
                 "7f00-7f10 r--s 00000000 08:01 132 /usr/lib/locale/archive\n"
                 "7f10-7f20 r-xp 00000000 08:01 133 /usr/lib/libx.so (deleted)\n"
                 "7f20-7f30 r-xp 00000000 00:00 0                            [vdso]\n"
                 "7f30-7f40 rwxp 00000000 00:00 0 \n")) {
    paths.push_back(file.path);
    ranges.push_back(file.range);
  }
  EXPECT_THAT(paths, ElementsAre("/usr/bin/a b", "/usr/lib/libx.so (deleted)"));
  EXPECT_THAT(ranges, ElementsAre("55e0-55f0", "7f10-7f20"));
}

TEST(SearchOrderTest, AFileThatWasReplacedIsFoundByTheNameThatItHad) {
  LoadedFile replaced = Cma();
  replaced.path += " (deleted)";

  const LoadedFiles files =
      InSearchOrder({File("/bin/program", "", {"libc.so.6"}, {}), Libc(), replaced},
                    std::vector<std::string>{"/opt/libcma.so.0.1.0"});

  EXPECT_THAT(Paths(files.searched),
              ElementsAre("/bin/program", "/opt/libcma.so.0.1.0 (deleted)", "/lib/libc.so.6"));
  EXPECT_TRUE(ReportMalloc(files).is_cma);
}

TEST(SearchOrderTest, IsExecutableThenPreloadedThenNeededBreadthFirst) {
  const LoadedFiles files =
      InSearchOrder({File("/bin/program", "", {"libb.so.1", "libc.so.6"}, {}), Libc(),
                     File("/lib/libd.so.1", "libd.so.1", {}, {}), Cma(),
                     File("/lib/libb.so.1.2", "libb.so.1", {"libd.so.1"}, {}),
                     File("/lib/plugin.so", "", {}, {})},
                    std::vector<std::string>{"/opt/libcma.so.0.1.0"});

  EXPECT_THAT(Paths(files.searched),
              ElementsAre("/bin/program", "/opt/libcma.so.0.1.0", "/lib/libb.so.1.2",
                          "/lib/libc.so.6", "/lib/libd.so.1"));
  EXPECT_THAT(Paths(files.others), ElementsAre("/lib/plugin.so"));
}

TEST(MallocReportTest, SaysThatCmaIsInUseWhenItComesFirst) {
  const MallocReport report =
      ReportMalloc(InSearchOrder({File("/bin/program", "", {"libc.so.6"}, {"main"}), Libc(), Cma()},
                                 std::vector<std::string>{"libcma.so.0"}));

  EXPECT_TRUE(report.is_cma) << report.text;
  EXPECT_THAT(report.text, HasSubstr("/opt/libcma.so.0.1.0 (cma)"));
  EXPECT_THAT(report.text, HasSubstr("also defined by\n  /lib/libc.so.6 (glibc): malloc, free"));
}

TEST(MallocReportTest, SaysNoWhenCmaStandsBehindAnother) {
  const MallocReport report = ReportMalloc(InSearchOrder(
      {File("/bin/program", "", {"libc.so.6", "libcma.so.0"}, {"main"}), Libc(), Cma()},
      std::vector<std::string>{}));

  EXPECT_FALSE(report.is_cma) << report.text;
}

TEST(MallocReportTest, SaysNoWhenOnlyTheOperatorsAreOfAnother) {
  const MallocReport report = ReportMalloc(
      InSearchOrder({File("/bin/program", "", {"libc.so.6"}, {"_Znwm", "_ZdlPv"}), Libc(), Cma()},
                    std::vector<std::string>{"libcma.so.0"}));

  EXPECT_FALSE(report.is_cma) << report.text;
  EXPECT_THAT(report.text, HasSubstr("operator new     /bin/program"));
}

TEST(MallocReportTest, WarnsOfAnAllocatorInsideTheExecutable) {
  const MallocReport report = ReportMalloc(
      InSearchOrder({File("/bin/program", "", {"libc.so.6"}, {"_rjem_malloc"}), Libc(), Cma()},
                    std::vector<std::string>{"libcma.so.0"}));

  EXPECT_THAT(report.text, HasSubstr("warning: /bin/program has jemalloc inside"));
}

TEST(MallocReportTest, TakesTheInterfaceAloneForNoReplacement) {
  const MallocReport report = ReportMalloc(
      InSearchOrder({File("/bin/program", "", {"libc.so.6"}, {"cma_malloc", "main"}), Libc()},
                    std::vector<std::string>{}));

  EXPECT_FALSE(report.is_cma);
  EXPECT_THAT(report.text, Not(HasSubstr("(cma)")));
}

TEST(CgroupTest, TheTightestLimitOnTheWayUpCounts) {
  const std::filesystem::path root =
      std::filesystem::path(testing::TempDir()) / "cma_doctor_cgroup";
  std::filesystem::create_directories(root / "a" / "b");
  std::ofstream(root / "a" / "memory.max") << "1048576\n";
  std::ofstream(root / "a" / "b" / "memory.max") << "max\n";

  EXPECT_EQ(TightestLimit(root.string(), "/a/b", "memory.max"), 1048576u);
  EXPECT_EQ(TightestLimit(root.string(), "", "memory.max"), 0u);
  std::ofstream(root / "a" / "b" / "memory.max") << "4096\n";
  EXPECT_EQ(TightestLimit(root.string(), "/a/b", "memory.max"), 4096u);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace cma::tool
