#include "pool.h"

#include <deque>
#include <thread>
#include <utility>

#if defined(__linux__)
#include <sched.h>
#endif

namespace inception::images {

namespace {

int availableCores() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : static_cast<int>(cores);
}

constexpr size_t keptBytes = size_t{16} << 20;

}  // namespace

void Scratch::trim() {
  for (auto* memory : {&file, &pixels}) {
    if (memory->capacity() > keptBytes) std::vector<uint8_t>().swap(*memory);
  }
}

class Pool {
 public:
  Pool() {
    for (int thread = 0; thread < poolThreads(); thread++) std::thread([this] { work(); }).detach();
  }

  void add(std::shared_ptr<Batch> batch) {
    batch->remaining_ = batch->count;
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      waiting_.push_back(std::move(batch));
    }
    wake_.notify_all();
  }

 private:
  [[noreturn]] void work() {
    Scratch scratch;
    for (;;) {
      std::shared_ptr<Batch> batch;
      size_t index = 0;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [this] { return !waiting_.empty(); });
        batch = waiting_.front();
        index = batch->next_++;
        if (batch->next_ == batch->count) waiting_.pop_front();
      }
      if (!batch->isCancelled()) {
        batch->prepare(index, scratch);
        scratch.trim();
      }
      if (--batch->remaining_ == 0) batch->onDone();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Batch>> waiting_;
};

int poolThreads() {
  static const int threads = availableCores();
  return threads;
}

void prepareOnPool(std::shared_ptr<Batch> batch) {
  // Never destroyed: its threads run until the process is gone.
  static Pool* pool = new Pool();
  pool->add(std::move(batch));
}

}  // namespace inception::images
