// OwnThread: a thread that makes its object on itself, runs it and destroys it there, since a ring
// belongs to the thread that made it. The object stays until the OwnThread is destroyed, even when
// its run has ended, so that the supervisor may call its any-thread functions at any time between.
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>

#include "penstock/base/assert.h"
#include "penstock/base/result.h"
#include "penstock/base/start_thread.h"

namespace penstock {

template <class T>
class OwnThread {
 public:
  struct Parts {
    std::string name;                                  ///< at most 15 bytes, what `top -H` shows
    std::function<Result<std::unique_ptr<T>>()> make;  ///< called on the thread
    std::function<Result<void>(T&)> run;               ///< called on the thread, after go()
    std::function<void()> on_end;                      ///< called on the thread, after run
  };
  explicit OwnThread(Parts parts) : parts_(std::move(parts)) {
    if (auto started = start_thread(parts_.name, [this] { body(); })) {
      thread_ = std::move(*started);
    } else {
      made_.set_value(std::unexpected(started.error()));
    }
  }
  OwnThread(const OwnThread&) = delete;
  OwnThread& operator=(const OwnThread&) = delete;
  /// Waits for the end of the run, which somebody has asked for, or never started.
  ~OwnThread() {
    go();
    destroy_.release();
    if (thread_.joinable()) thread_.join();
  }

  /// Waits until the object is made. Once. Error: what `make` said, or there is no room for another
  /// thread; there is no object then.
  [[nodiscard]] Result<void> made() { return made_.get_future().get(); }
  /// Only after made() has succeeded.
  [[nodiscard]] T& object() noexcept {
    PENSTOCK_ASSERT(object_ != nullptr);
    return *object_;
  }
  /// Lets the run begin.
  void go() noexcept {
    if (!gone_) go_.release();
    gone_ = true;
  }
  [[nodiscard]] bool ended() const noexcept { return ended_.load(std::memory_order_acquire); }
  /// How the run ended. Only after ended().
  [[nodiscard]] const Result<void>& outcome() const noexcept { return outcome_; }

 private:
  void body() {
    ::pthread_setname_np(::pthread_self(), parts_.name.c_str());
    auto made = parts_.make();
    if (!made) {
      made_.set_value(std::unexpected(made.error()));
      return;
    }
    const std::unique_ptr<T> object = std::move(*made);
    object_ = object.get();
    made_.set_value(Result<void>{});
    go_.acquire();
    outcome_ = parts_.run(*object);
    ended_.store(true, std::memory_order_release);
    parts_.on_end();
    destroy_.acquire();
  }

  Parts parts_;
  T* object_ = nullptr;  // written before made_ is set
  std::promise<Result<void>> made_;
  std::binary_semaphore go_{0};
  std::binary_semaphore destroy_{0};
  bool gone_ = false;     // the owner's
  Result<void> outcome_;  // written before ended_ is set
  std::atomic<bool> ended_{false};
  std::jthread thread_;  // none when it could not be started
};

}  // namespace penstock
