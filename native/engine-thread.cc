#include "engine-thread.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <utility>

namespace inception {

namespace {

thread_local const std::atomic<bool>* stoppedHere = nullptr;

}  // namespace

EngineThread::EngineThread(int threads) : thread_([this, threads] { loop(threads); }) {}

EngineThread::~EngineThread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void EngineThread::enqueue(std::function<void()> work) {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (stopped_) return;
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void EngineThread::stop() {
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    stopped_ = true;
    closing_ = true;
    dropped.swap(queue_);
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  interrupted_ = nullptr;
}

void EngineThread::throwIfStopped() {
  if (stoppedHere && stoppedHere->load(std::memory_order_relaxed)) throw Stopped();
}

void EngineThread::loop(int threads) {
  stoppedHere = &stopped_;
  // libtorch's thread count is a setting of the calling thread.
  at::set_num_threads(threads);
  // Denormals are a hundred times slower and carry no information here. The flag is per worker thread.
  at::parallel_for(0, threads, 1, [](int64_t, int64_t) { at::globalContext().setFlushDenormal(true); });
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    try {
      work();
    } catch (const Stopped&) {
      // What it holds belongs to the JavaScript thread, which is in `stop`.
      interrupted_ = std::move(work);
      return;
    }
  }
}

}  // namespace inception
