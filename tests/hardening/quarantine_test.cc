#include "hardening/quarantine.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>
#include <set>

#include "support/fake_os.h"

namespace cma {
namespace {

using Take = Quarantine::Take;

class QuarantineTest : public testing::Test {
 protected:
  bool Add(uintptr_t address, uint32_t bytes = 64) {
    return quarantine_->Add({address, bytes, 7}, &displaced_);
  }

  cma_test::FakeOs os_;
  Metadata metadata_{os_.ops()};
  std::unique_ptr<Quarantine> quarantine_ = std::make_unique<Quarantine>();
  QuarantinedBlock displaced_ = {};
};

TEST_F(QuarantineTest, BlocksLeaveInTheOrderInWhichTheyCame) {
  quarantine_->Open(kMiB, metadata_);
  for (uintptr_t i = 1; i <= 100; ++i) ASSERT_TRUE(Add(i * 64));
  EXPECT_EQ(quarantine_->bytes(), 6400u);
  EXPECT_EQ(quarantine_->TakeOldest(Take::kSurplus).address, 0u);

  for (uintptr_t i = 1; i <= 100; ++i) {
    const QuarantinedBlock oldest = quarantine_->TakeOldest(Take::kAll);
    EXPECT_EQ(oldest.address, i * 64);
    EXPECT_EQ(oldest.bytes, 64u);
    EXPECT_EQ(oldest.owner, 7u);
  }
  EXPECT_EQ(quarantine_->TakeOldest(Take::kAll).address, 0u);
  EXPECT_EQ(quarantine_->bytes(), 0u);
}

TEST_F(QuarantineTest, OnlyWhatIsOverTheLimitIsSurplus) {
  quarantine_->Open(1000, metadata_);
  ASSERT_TRUE(Add(16, 600));
  ASSERT_TRUE(Add(32, 400));
  EXPECT_EQ(quarantine_->TakeOldest(Take::kSurplus).address, 0u);
  ASSERT_TRUE(Add(48, 16));
  EXPECT_EQ(quarantine_->TakeOldest(Take::kSurplus).address, 16u);
  EXPECT_EQ(quarantine_->TakeOldest(Take::kSurplus).address, 0u);
}

TEST_F(QuarantineTest, ABlockThatIsInItIsNotAddedAgain) {
  quarantine_->Open(kMiB, metadata_);
  ASSERT_TRUE(Add(64));
  EXPECT_TRUE(quarantine_->Holds(64));

  EXPECT_FALSE(Add(64));

  EXPECT_EQ(quarantine_->bytes(), 64u);
  EXPECT_EQ(quarantine_->TakeOldest(Take::kAll).address, 64u);
  EXPECT_FALSE(quarantine_->Holds(64));
  EXPECT_TRUE(Add(64));
}

TEST_F(QuarantineTest, WhenThePlacesAreTakenTheOldestIsDisplaced) {
  quarantine_->Open(kGiB, metadata_);
  for (uintptr_t i = 1; i <= Quarantine::kMostBlocks; ++i) {
    ASSERT_TRUE(Add(i * 16, 16));
    ASSERT_EQ(displaced_.address, 0u);
  }
  ASSERT_TRUE(Add(16 * (Quarantine::kMostBlocks + 1), 16));

  EXPECT_EQ(displaced_.address, 16u);
  EXPECT_FALSE(quarantine_->Holds(16));
  EXPECT_TRUE(quarantine_->Holds(32));
}

TEST_F(QuarantineTest, MembershipIsExactOverManyChanges) {
  quarantine_->Open(20'000 * 16, metadata_);
  std::minstd_rand random(3);
  std::deque<uintptr_t> order;
  std::set<uintptr_t> inside;
  for (int i = 0; i < 200'000; ++i) {
    const uintptr_t address = 16 * (1 + random() % 40'000);
    ASSERT_EQ(Add(address, 16), inside.insert(address).second);
    if (inside.size() > order.size()) order.push_back(address);
    while (inside.size() > 20'000) {
      ASSERT_EQ(quarantine_->TakeOldest(Take::kSurplus).address, order.front());
      inside.erase(order.front());
      order.pop_front();
    }
    const uintptr_t other = 16 * (1 + random() % 40'000);
    ASSERT_EQ(quarantine_->Holds(other), inside.count(other) != 0);
  }
}

TEST_F(QuarantineTest, UnopenedOrWithoutMemoryItIsOff) {
  EXPECT_FALSE(quarantine_->IsOn());
  EXPECT_FALSE(quarantine_->Holds(16));
  os_.RefuseEvery(cma_test::FakeOs::kMap);
  quarantine_->Open(kMiB, metadata_);
  EXPECT_FALSE(quarantine_->IsOn());
  EXPECT_EQ(quarantine_->TakeOldest(Take::kAll).address, 0u);
}

}  // namespace
}  // namespace cma
