// One thread that does all work of an engine, first in first out, so that OpenMP's pool of workers stays the same.
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
  // Waits until all queued work is done.
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
