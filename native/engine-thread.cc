#include "engine-thread.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <fstream>
#include <string>

namespace inception {

EngineThread::EngineThread(int threads) : thread_([this, threads] { loop(threads); }) {}

EngineThread::~EngineThread() {
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
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void EngineThread::loop(int threads) {
  // libtorch's number of threads belongs to the thread that asks for work.
  at::set_num_threads(threads);
  // Denormal numbers are a hundred times slower and carry no information here. The flag is each worker's own.
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
    work();
  }
}

bool hasFastBfloat16() {
  // Not __builtin_cpu_supports: GCC 12 knows avx512bf16 but not amx-bf16.
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("flags", 0) == 0 || line.rfind("Features", 0) == 0) {
      for (const char* flag : {" avx512_bf16", " amx_bf16", " bf16"}) {
        if (line.find(flag) != std::string::npos) return true;
      }
      return false;
    }
  }
  return false;
}

int availableCores() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : static_cast<int>(cores);
}

}  // namespace inception
