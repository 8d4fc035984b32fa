// One thread that runs all of an engine's work in FIFO order, so that OpenMP keeps the same pool of workers.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace inception {

class EngineThread {
 public:
  explicit EngineThread(int threads);
  // Waits for all queued work.
  ~EngineThread();
  void enqueue(std::function<void()> work);

 private:
  void loop(int threads);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace inception
