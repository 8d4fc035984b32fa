// One thread that runs all of an engine's work in FIFO order, so that OpenMP keeps the same pool of workers.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace inception {

// Thrown by work that was stopped before its end. Nobody waits for its result.
struct Stopped : std::runtime_error {
  Stopped() : std::runtime_error("the engine was stopped") {}
};

class EngineThread {
 public:
  explicit EngineThread(int threads);
  // Waits for all queued work, unless the thread was stopped.
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // Does nothing once the thread was stopped.
  void enqueue(std::function<void()> work);

  // Ends the running work at its next `throwIfStopped`, drops what is queued, and joins the thread. What the work holds is
  // destroyed on the calling thread.
  void stop();

  // To be called between the steps of long work. @throws Stopped on the thread of an engine that was stopped.
  static void throwIfStopped();

 private:
  void loop(int threads);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::function<void()> interrupted_;
  bool closing_ = false;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace inception
