// IntrusiveList: a doubly linked list whose links live in its elements, so that joining and leaving
// never allocate. A ListHook removes itself when destroyed. Tag tells apart the lists that one
// element is on.
#pragma once

#include <cstddef>

#include "penstock/base/assert.h"

namespace penstock {

template <class Tag>
class ListHook {
 public:
  ListHook() noexcept = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { unlink(); }

  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (!linked()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class T, class U>
  friend class IntrusiveList;
  ListHook* next_ = nullptr;
  ListHook* previous_ = nullptr;
};

/// A list of T, which derives from ListHook<Tag>. Owns nothing.
template <class T, class Tag>
class IntrusiveList {
  using Hook = ListHook<Tag>;

 public:
  IntrusiveList() noexcept { head_.next_ = head_.previous_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (pop_front() != nullptr) {
    }
    head_.next_ = head_.previous_ = nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
  [[nodiscard]] T* front() noexcept { return empty() ? nullptr : element(head_.next_); }

  void push_back(T& item) noexcept {
    Hook& hook = item;
    PENSTOCK_ASSERT(!hook.linked());
    hook.next_ = &head_;
    hook.previous_ = head_.previous_;
    head_.previous_->next_ = &hook;
    head_.previous_ = &hook;
  }
  T* pop_front() noexcept {
    if (empty()) return nullptr;
    T* first = element(head_.next_);
    static_cast<Hook*>(first)->unlink();
    return first;
  }
  /// The element after `item`, or null. Lets a loop remove `item` after asking.
  [[nodiscard]] T* next(T& item) noexcept {
    Hook* hook = static_cast<Hook&>(item).next_;
    return hook == &head_ ? nullptr : element(hook);
  }
  /// Moves every element of `from` to the end of this list.
  void splice_back(IntrusiveList& from) noexcept {
    if (from.empty()) return;
    Hook* first = from.head_.next_;
    Hook* last = from.head_.previous_;
    from.head_.next_ = from.head_.previous_ = &from.head_;
    first->previous_ = head_.previous_;
    head_.previous_->next_ = first;
    last->next_ = &head_;
    head_.previous_ = last;
  }

 private:
  [[nodiscard]] static T* element(Hook* hook) noexcept { return static_cast<T*>(hook); }
  Hook head_;
};

}  // namespace penstock
