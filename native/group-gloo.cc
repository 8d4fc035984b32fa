// The group on the CPU. Two threads communicate while the program computes; buckets alternate between them, so that one can add
// while the other sends.
#include "group-backends.h"

#ifdef INCEPTION_GLOO
#include <ATen/Context.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "bucket-ranges.h"
#include "gloo-transport.h"
#include "join-store.h"
#include "operators/kernels.h"
#include "operators/sum-in-order.h"

namespace inception {

namespace {

using Clock = std::chrono::steady_clock;

double msSince(Clock::time_point begin) { return std::chrono::duration<double, std::milli>(Clock::now() - begin).count(); }

// Memory that is kept between steps; not the arena's, which is planned for the engine's thread.
class Scratch {
 public:
  template <typename T>
  T* of(int64_t count) {
    const size_t bytes = count * sizeof(T);
    if (bytes > size_) {
      memory_.reset(new char[bytes]);
      size_ = bytes;
    }
    return reinterpret_cast<T*>(memory_.get());
  }

 private:
  std::unique_ptr<char[]> memory_;
  size_t size_ = 0;
};

// Phases of a bucket, as tags: a message of one never meets a receiver of another.
constexpr int accumulateTag = 0, shareTag = Group::maxBuckets;

class GlooGroup : public Group {
 public:
  explicit GlooGroup(const GroupSpec& spec) : spec_(spec) {}
  ~GlooGroup() override { close(); }

  void connect() override {
    try {
      if (*aborted_) throw std::runtime_error("aborted");
      const auto store = connectToStore(spec_, aborted_);
      for (size_t index = 0; index < transports_.size(); index++) {
        auto transport = std::make_shared<GlooTransport>(store, "connections" + std::to_string(index), spec_);
        const std::lock_guard<std::mutex> guard(mutex_);
        if (!error_.empty()) throw std::runtime_error(error_);
        transports_[index] = std::move(transport);
      }
    } catch (const std::exception& error) {
      fail("process " + std::to_string(spec_.rank) + " of " + std::to_string(spec_.size) + " cannot join the group at " + spec_.host +
           ":" + std::to_string(spec_.port) + ": " + firstLineOf(error.what()));
      check();
    }
    for (size_t index = 0; index < lanes_.size(); index++) {
      lanes_[index].thread = std::thread([this, index] { loop(lanes_[index], *transports_[index]); });
    }
  }

  void accumulate(const at::Tensor& sums, const at::Tensor& values, int64_t bucket, bool rounded) override {
    begin(bucket, [this, sums, values, bucket, rounded](Lane& lane, GlooTransport& transport) {
      const auto& run = kernels::chooseKernels().sums;
      float *total = sums.data_ptr<float>(), *mine = values.data_ptr<float>();
      const BucketRanges ranges(sums.numel(), spec_.size);
      const int64_t first = ranges.begin(spec_.rank), length = ranges.size(spec_.rank);
      const int64_t width = rounded ? sizeof(uint16_t) : sizeof(float);
      char* received = lane.received.of<char>(spec_.size * length * width);
      uint16_t* bits = rounded ? lane.sent.of<uint16_t>(ranges.count) : nullptr;
      std::vector<Message> receives, sends;
      std::vector<Summand> summands;
      for (int rank = 0; rank < spec_.size; rank++) {
        if (rank == spec_.rank) {
          summands.push_back({mine + first, false});
          continue;
        }
        char* place = received + rank * length * width;
        summands.push_back({place, rounded});
        receives.push_back({rank, place, length * width});
        const int64_t theirs = ranges.begin(rank);
        if (rounded) run.round(mine + theirs, bits + theirs, ranges.size(rank));
        sends.push_back({rank, rounded ? static_cast<void*>(bits + theirs) : mine + theirs, ranges.size(rank) * width});
      }
      transport.exchange(receives, sends, accumulateTag + static_cast<int>(bucket));
      sumInOrder(total + first, total == mine, summands, rounded, length);
      return bytesOf(sends);
    });
  }

  void share(const at::Tensor& sums, int64_t bucket, int64_t replicas, bool rounded) override {
    begin(bucket, [this, sums, bucket, replicas, rounded](Lane& lane, GlooTransport& transport) {
      const auto& run = kernels::chooseKernels().sums;
      float* total = sums.data_ptr<float>();
      const BucketRanges ranges(sums.numel(), spec_.size);
      const int64_t first = ranges.begin(spec_.rank), length = ranges.size(spec_.rank);
      const int64_t width = rounded ? sizeof(uint16_t) : sizeof(float);
      divideByReplicas(total + first, length, replicas, rounded);
      uint16_t* bits = rounded ? lane.received.of<uint16_t>(ranges.count) : nullptr;
      if (rounded) run.round(total + first, bits + first, length);
      const auto placeOf = [&](int rank) -> void* {
        return rounded ? static_cast<void*>(bits + ranges.begin(rank)) : total + ranges.begin(rank);
      };
      std::vector<Message> receives, sends;
      for (int rank = 0; rank < spec_.size; rank++) {
        if (rank == spec_.rank) continue;
        receives.push_back({rank, placeOf(rank), ranges.size(rank) * width});
        sends.push_back({rank, placeOf(spec_.rank), length * width});
      }
      transport.exchange(receives, sends, shareTag + static_cast<int>(bucket));
      for (const auto& message : receives) {
        const int64_t theirs = ranges.begin(message.peer);
        if (rounded) run.widen(bits + theirs, total + theirs, ranges.size(message.peer));
      }
      return bytesOf(sends);
    });
  }

  void wait(int64_t bucket) override {
    std::unique_lock<std::mutex> lock(mutex_);
    auto& state = buckets_[bucket];
    const auto begin = Clock::now();
    // After an error too: the tensors must not be used or freed while a thread still works on them.
    changed_.wait(lock, [&] { return state.pending == 0; });
    state.traffic.exposedMs += msSince(begin);
    if (!error_.empty()) throw std::runtime_error(error_);
  }

  at::Tensor gatherAll(const at::Tensor& values) override {
    const auto source = values.contiguous();
    std::vector<int64_t> sizes = source.sizes().vec();
    sizes.insert(sizes.begin(), spec_.size);
    auto result = at::empty(sizes, source.options());
    const int64_t bytes = source.nbytes();
    char* rows = static_cast<char*>(result.data_ptr());
    std::memcpy(rows + spec_.rank * bytes, source.data_ptr(), bytes);
    std::vector<Message> receives, sends;
    for (int rank = 0; rank < spec_.size; rank++) {
      if (rank == spec_.rank) continue;
      receives.push_back({rank, rows + rank * bytes, bytes});
      sends.push_back({rank, source.data_ptr(), bytes});
    }
    exchangeNow(receives, sends);
    return result;
  }

  void broadcast(const at::Tensor& tensor) override {
    void* data = tensor.data_ptr();
    const int64_t bytes = tensor.nbytes();
    // A binomial tree: the processes that have it double in each round.
    for (int holders = 1; holders < spec_.size; holders *= 2) {
      if (spec_.rank < holders && spec_.rank + holders < spec_.size) {
        exchangeNow({}, {{spec_.rank + holders, data, bytes}});
      } else if (spec_.rank >= holders && spec_.rank < 2 * holders) {
        exchangeNow({{spec_.rank - holders, data, bytes}}, {});
      }
    }
  }

  std::map<int64_t, BucketTraffic> traffic() override {
    const std::lock_guard<std::mutex> guard(mutex_);
    std::map<int64_t, BucketTraffic> result;
    for (const auto& [bucket, state] : buckets_) result[bucket] = state.traffic;
    return result;
  }

  void abort(const std::string& reason) override { fail("the group was aborted: " + reason); }

  void check() override {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (!error_.empty()) throw std::runtime_error(error_);
  }

  void close() override {
    fail("this process has left the group");
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    for (auto& lane : lanes_) {
      if (lane.thread.joinable()) lane.thread.join();
    }
    std::array<std::shared_ptr<GlooTransport>, 3> closed;
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      closed.swap(transports_);
    }
  }

 private:
  struct Lane {
    std::thread thread;
    // Returns the bytes that it has sent.
    std::deque<std::pair<int64_t, std::function<int64_t(Lane&, GlooTransport&)>>> queue;  // guarded by `mutex_`
    Scratch received, sent;
  };
  struct Bucket {
    int pending = 0;
    BucketTraffic traffic;
  };

  static std::string firstLineOf(const char* text) {
    const std::string all(text);
    return all.substr(0, all.find('\n'));
  }

  static int64_t bytesOf(const std::vector<Message>& messages) {
    int64_t bytes = 0;
    for (const auto& message : messages) bytes += message.bytes;
    return bytes;
  }

  void begin(int64_t bucket, std::function<int64_t(Lane&, GlooTransport&)> work) {
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      if (!error_.empty()) throw std::runtime_error(error_);
      buckets_[bucket].pending++;
      lanes_[bucket % lanes_.size()].queue.emplace_back(bucket, std::move(work));
    }
    changed_.notify_all();
  }

  void loop(Lane& lane, GlooTransport& transport) {
    // As on the engine's threads: the same sums have the same bits on either.
    at::globalContext().setFlushDenormal(true);
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return closing_ || !lane.queue.empty(); });
      if (lane.queue.empty()) return;
      auto [bucket, work] = std::move(lane.queue.front());
      lane.queue.pop_front();
      const bool failed = !error_.empty();
      lock.unlock();
      const auto begin = Clock::now();
      int64_t bytes = 0;
      if (!failed) attempt([&, &work = work] { bytes = work(lane, transport); });
      work = nullptr;  // its tensors are released before the program goes on
      lock.lock();
      auto& state = buckets_[bucket];
      state.traffic.bytes += bytes;
      state.traffic.busyMs += msSince(begin);
      state.pending--;
      changed_.notify_all();
    }
  }

  // On the engine's thread, over connections of their own: a few bytes do not queue behind a bucket.
  void exchangeNow(const std::vector<Message>& receives, const std::vector<Message>& sends) {
    std::shared_ptr<GlooTransport> transport;
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      if (!error_.empty()) throw std::runtime_error(error_);
      transport = transports_[2];
    }
    const auto begin = Clock::now();
    attempt([&] { transport->exchange(receives, sends, 0); });
    const std::lock_guard<std::mutex> guard(mutex_);
    auto& traffic = buckets_[noBucket].traffic;
    traffic.bytes += bytesOf(sends);
    traffic.busyMs += msSince(begin);
    traffic.exposedMs += msSince(begin);
    if (!error_.empty()) throw std::runtime_error(error_);
  }

  // Errors end the group: a process that has missed a message cannot go on.
  template <typename Run>
  void attempt(Run run) {
    try {
      run();
    } catch (const LostPeer& error) {
      fail("the group has lost process " + std::to_string(error.peer) + " of " + std::to_string(spec_.size) + ": " + error.what());
    } catch (const std::exception& error) {
      fail(std::string("the group has failed: ") + error.what());
    }
  }

  // The first reason is kept: others follow from it.
  void fail(const std::string& reason) {
    std::array<std::shared_ptr<GlooTransport>, 3> transports;
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      if (error_.empty()) error_ = reason;
      transports = transports_;
    }
    *aborted_ = true;
    for (const auto& transport : transports) {
      if (transport) transport->abort();
    }
    changed_.notify_all();
  }

  const GroupSpec spec_;
  const std::shared_ptr<std::atomic<bool>> aborted_ = std::make_shared<std::atomic<bool>>(false);
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string error_;                            // guarded by `mutex_`, as are:
  bool closing_ = false;
  std::map<int64_t, Bucket> buckets_;
  std::array<std::shared_ptr<GlooTransport>, 3> transports_;  // one for each thread that communicates, one for the engine's
  std::array<Lane, 2> lanes_;
};

}  // namespace

std::shared_ptr<Group> makeGlooGroup(const GroupSpec& spec) { return std::make_shared<GlooGroup>(spec); }

}  // namespace inception
#endif
