#include "base/intrusive_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace cma {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Item : ListNode<Item> {
  explicit Item(int value) : number(value) {}
  int number;
};

using List = IntrusiveList<Item>;

std::vector<int> Forwards(const List& list) {
  std::vector<int> numbers;
  for (const Item* item = list.front(); item != nullptr; item = item->next) {
    numbers.push_back(item->number);
  }
  return numbers;
}

std::vector<int> Backwards(const List& list) {
  std::vector<int> numbers;
  for (const Item* item = list.back(); item != nullptr; item = item->prev) {
    numbers.push_back(item->number);
  }
  return numbers;
}

class IntrusiveListTest : public testing::Test {
 protected:
  void FillWithThree() {
    list_.PushBack(&one_);
    list_.PushBack(&two_);
    list_.PushBack(&three_);
  }

  Item one_{1};
  Item two_{2};
  Item three_{3};
  List list_;
};

TEST_F(IntrusiveListTest, ANewListIsEmpty) {
  EXPECT_TRUE(list_.empty());
  EXPECT_EQ(list_.front(), nullptr);
  EXPECT_EQ(list_.back(), nullptr);
  EXPECT_EQ(list_.PopFront(), nullptr);
}

TEST_F(IntrusiveListTest, PushBackKeepsTheOrder) {
  FillWithThree();

  EXPECT_THAT(Forwards(list_), ElementsAre(1, 2, 3));
  EXPECT_THAT(Backwards(list_), ElementsAre(3, 2, 1));
}

TEST_F(IntrusiveListTest, PushFrontReversesTheOrder) {
  list_.PushFront(&one_);
  list_.PushFront(&two_);
  list_.PushFront(&three_);

  EXPECT_THAT(Forwards(list_), ElementsAre(3, 2, 1));
  EXPECT_THAT(Backwards(list_), ElementsAre(1, 2, 3));
}

TEST_F(IntrusiveListTest, RemovingTheFirstLeavesTheOthers) {
  FillWithThree();

  list_.Remove(&one_);

  EXPECT_THAT(Forwards(list_), ElementsAre(2, 3));
  EXPECT_THAT(Backwards(list_), ElementsAre(3, 2));
}

TEST_F(IntrusiveListTest, RemovingTheMiddleJoinsItsNeighbours) {
  FillWithThree();

  list_.Remove(&two_);

  EXPECT_THAT(Forwards(list_), ElementsAre(1, 3));
  EXPECT_THAT(Backwards(list_), ElementsAre(3, 1));
}

TEST_F(IntrusiveListTest, RemovingTheLastLeavesTheOthers) {
  FillWithThree();

  list_.Remove(&three_);

  EXPECT_THAT(Forwards(list_), ElementsAre(1, 2));
  EXPECT_THAT(Backwards(list_), ElementsAre(2, 1));
}

TEST_F(IntrusiveListTest, RemovingTheOnlyOneEmptiesTheList) {
  list_.PushFront(&one_);

  list_.Remove(&one_);

  EXPECT_TRUE(list_.empty());
  EXPECT_THAT(Backwards(list_), IsEmpty());
}

TEST_F(IntrusiveListTest, AllOfAnotherListGoBehindTheOthers) {
  List other;
  list_.PushBack(&one_);
  other.PushBack(&two_);
  other.PushBack(&three_);

  list_.TakeAllOf(other);

  EXPECT_THAT(Forwards(list_), ElementsAre(1, 2, 3));
  EXPECT_THAT(Backwards(list_), ElementsAre(3, 2, 1));
  EXPECT_TRUE(other.empty());
  EXPECT_THAT(Backwards(other), IsEmpty());
}

TEST_F(IntrusiveListTest, AnEmptyListTakesAllOfAnotherAndLosesNothingToAnEmptyOne) {
  List other;
  FillWithThree();

  other.TakeAllOf(list_);
  other.TakeAllOf(list_);

  EXPECT_TRUE(list_.empty());
  EXPECT_THAT(Forwards(other), ElementsAre(1, 2, 3));
  EXPECT_THAT(Backwards(other), ElementsAre(3, 2, 1));
}

TEST_F(IntrusiveListTest, PopFrontTakesThemInOrder) {
  FillWithThree();

  EXPECT_EQ(list_.PopFront(), &one_);
  EXPECT_EQ(list_.PopFront(), &two_);
  EXPECT_EQ(list_.PopFront(), &three_);
  EXPECT_EQ(list_.PopFront(), nullptr);
}

TEST_F(IntrusiveListTest, ARemovedElementHasNoLinksAndMayGoIntoAnotherList) {
  FillWithThree();
  List other;

  list_.Remove(&two_);

  EXPECT_EQ(two_.next, nullptr);
  EXPECT_EQ(two_.prev, nullptr);
  other.PushBack(&two_);
  EXPECT_THAT(Forwards(other), ElementsAre(2));
  EXPECT_THAT(Forwards(list_), ElementsAre(1, 3));
}

}  // namespace
}  // namespace cma
