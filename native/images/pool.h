// Threads that all images of a process are prepared by: one for each core, which start with the first batch and live as long as the process.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "image.h"
#include "resample.h"

namespace inception::images {

// Memory that a thread uses for one image after the other.
struct Scratch {
  std::vector<uint8_t> file;
  std::vector<uint8_t> pixels;
  ResampleScratch resample;

  // What a huge image needed is not kept.
  void trim();
};

// Images that are prepared together. Its threads take them one by one.
struct Batch {
  size_t count = 0;
  // Prepares one image; throws nothing.
  std::function<void(size_t index, Scratch&)> prepare;
  // Called by the thread that was last to finish.
  std::function<void()> onDone;

  // Images not begun are left out from now on.
  void cancel() { isCancelled_ = true; }
  bool isCancelled() const { return isCancelled_; }

 private:
  friend class Pool;
  std::atomic<bool> isCancelled_{false};
  std::atomic<size_t> remaining_{0};
  size_t next_ = 0;  // guarded by the pool's mutex
};

// Queues a batch behind the earlier ones.
void prepareOnPool(std::shared_ptr<Batch> batch);

// The number of its threads.
int poolThreads();

}  // namespace inception::images
