// A circular doubly linked list whose links live in its elements. Elements derive from
// ListNode; the list owns nothing and is zero-initialisable (constant-initialised heaps).
#ifndef CMA_BASE_INTRUSIVE_LIST_H_
#define CMA_BASE_INTRUSIVE_LIST_H_

namespace cma {

template <typename T>
struct ListNode {
  T* next = nullptr;
  T* prev = nullptr;
};

template <typename T>
class IntrusiveList {
 public:
  constexpr IntrusiveList() = default;

  bool empty() const { return head_ == nullptr; }
  T* front() const { return head_; }
  T* back() const { return tail_; }

  void PushFront(T* element) {
    element->prev = nullptr;
    element->next = head_;
    if (head_ != nullptr) head_->prev = element;
    head_ = element;
    if (tail_ == nullptr) tail_ = element;
  }

  void PushBack(T* element) {
    element->next = nullptr;
    element->prev = tail_;
    if (tail_ != nullptr) tail_->next = element;
    tail_ = element;
    if (head_ == nullptr) head_ = element;
  }

  // Behind `place`, which is in this list, or in front of all if that is null.
  void InsertAfter(T* place, T* element) {
    if (place == nullptr) return PushFront(element);
    if (place == tail_) return PushBack(element);
    element->prev = place;
    element->next = place->next;
    place->next->prev = element;
    place->next = element;
  }

  // REQUIRES: element is in this list.
  void Remove(T* element) {
    (element->prev != nullptr ? element->prev->next : head_) = element->next;
    (element->next != nullptr ? element->next->prev : tail_) = element->prev;
    element->next = nullptr;
    element->prev = nullptr;
  }

  // Puts all that are in `other`, which is empty then, behind those in this one.
  void TakeAllOf(IntrusiveList& other) {
    if (other.empty()) return;
    (tail_ != nullptr ? tail_->next : head_) = other.head_;
    other.head_->prev = tail_;
    tail_ = other.tail_;
    other = {};
  }

  T* PopFront() {
    T* element = head_;
    if (element != nullptr) Remove(element);
    return element;
  }

 private:
  T* head_ = nullptr;
  T* tail_ = nullptr;
};

}  // namespace cma

#endif  // CMA_BASE_INTRUSIVE_LIST_H_
