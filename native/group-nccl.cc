// The group on CUDA, by c10d's NCCL. Compiled, and not run: there was no machine with a device. NCCL's kernels run in order on a
// stream of their own beside the program's, so all of it can be captured into the program's graph.
#include "group-backends.h"

#ifdef INCEPTION_NCCL
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bucket-ranges.h"
#include "join-store.h"

namespace inception {

namespace {

class NcclGroup : public Group {
 public:
  NcclGroup(const GroupSpec& spec, at::Device device) : spec_(spec), device_(device) {}
  ~NcclGroup() override { close(); }

  void connect() override {
    try {
      if (*aborted_) throw std::runtime_error("aborted");
      // c10d's watchdog would end this process as soon as a peer is lost; whoever watches the processes aborts the group instead.
      setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", 1);
      if (!spec_.networkInterface.empty()) setenv("NCCL_SOCKET_IFNAME", spec_.networkInterface.c_str(), 0);
      const c10::cuda::CUDAGuard guard(device_);
      auto options = c10d::ProcessGroupNCCL::Options::create();
      options->timeout = std::chrono::hours(24);
      auto nccl = c10::make_intrusive<c10d::ProcessGroupNCCL>(
          c10::make_intrusive<c10d::PrefixStore>("nccl", connectToStore(spec_, aborted_)), spec_.rank, spec_.size, options);
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        nccl_ = nccl;
      }
      stream_ = c10::cuda::getStreamFromPool(true, device_.index());
      // NCCL connects at the first use.
      gatherAll(at::zeros({1}, at::TensorOptions().dtype(at::kFloat).device(device_)));
      c10::cuda::device_synchronize();
      check();
    } catch (const std::exception& error) {
      const std::string reason(error.what());
      fail("process " + std::to_string(spec_.rank) + " of " + std::to_string(spec_.size) + " cannot join the group at " + spec_.host +
           ":" + std::to_string(spec_.port) + ": " + reason.substr(0, reason.find('\n')));
      check();
    }
  }

  void accumulate(const at::Tensor& sums, const at::Tensor& values, int64_t bucket, bool rounded) override {
    begin(bucket, [&] {
      const BucketRanges ranges(sums.numel(), spec_.size);
      const auto flat = sums.view({-1});
      const auto sent = rounded ? values.view({-1}).to(at::kBFloat16) : values.view({-1});
      std::vector<at::Tensor> inputs, outputs;
      for (int rank = 0; rank < spec_.size; rank++) {
        inputs.push_back(partOf(sent, ranges, rank));
        outputs.push_back(at::empty({ranges.size(spec_.rank)}, sent.options()));
      }
      exchange(outputs, inputs);
      auto own = partOf(flat, ranges, spec_.rank);
      // As on the CPU: from +0 on, in the order of ranks.
      if (sums.data_ptr() == values.data_ptr()) own.zero_();
      for (const auto& part : outputs) own.add_(part);
      return sentBytes(inputs);
    });
  }

  void share(const at::Tensor& sums, int64_t bucket, int64_t replicas, bool rounded) override {
    begin(bucket, [&] {
      const BucketRanges ranges(sums.numel(), spec_.size);
      const auto flat = sums.view({-1});
      const auto own = partOf(flat, ranges, spec_.rank);
      own.mul_(1.f / static_cast<float>(replicas));
      const auto mine = rounded ? own.to(at::kBFloat16) : own.clone();
      const auto all = rounded ? at::empty({flat.numel()}, mine.options()) : flat;
      std::vector<at::Tensor> inputs(spec_.size, mine), outputs;
      for (int rank = 0; rank < spec_.size; rank++) outputs.push_back(partOf(all, ranges, rank));
      exchange(outputs, inputs);
      if (rounded) flat.copy_(all);
      return sentBytes(inputs);
    });
  }

  // Only the stream waits.
  void wait(int64_t bucket) override {
    check();
    const auto entry = finished_.find(bucket);
    if (entry != finished_.end()) entry->second.block(c10::cuda::getCurrentCUDAStream(device_.index()));
  }

  at::Tensor gatherAll(const at::Tensor& values) override {
    const auto source = values.contiguous();
    std::vector<int64_t> sizes = source.sizes().vec();
    sizes.insert(sizes.begin(), spec_.size);
    auto result = at::empty(sizes, source.options());
    begin(noBucket, [&] {
      std::vector<std::vector<at::Tensor>> outputs(1);
      for (int rank = 0; rank < spec_.size; rank++) outputs[0].push_back(result[rank]);
      std::vector<at::Tensor> inputs{source};
      connected()->allgather(outputs, inputs)->wait();
      return static_cast<int64_t>(source.nbytes()) * (spec_.size - 1);
    });
    wait(noBucket);
    return result;
  }

  void broadcast(const at::Tensor& tensor) override {
    begin(noBucket, [&] {
      std::vector<at::Tensor> tensors{tensor};
      c10d::BroadcastOptions options;
      options.rootRank = 0;
      connected()->broadcast(tensors, options)->wait();
      return spec_.rank == 0 ? static_cast<int64_t>(tensor.nbytes()) : 0;
    });
    wait(noBucket);
    c10::cuda::device_synchronize();
    check();
  }

  // Bytes only, and only of steps that ran one by one: a graph that is replayed does not come by here, and nobody waits here.
  std::map<int64_t, BucketTraffic> traffic() override {
    const std::lock_guard<std::mutex> guard(mutex_);
    return traffic_;
  }

  void abort(const std::string& reason) override { fail("the group was aborted: " + reason); }

  void check() override {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (!error_.empty()) throw std::runtime_error(error_);
  }

  void close() override {
    fail("this process has left the group");
    Nccl closed;
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      closed = std::move(nccl_);
    }
    finished_.clear();
  }

 private:
  using Nccl = c10::intrusive_ptr<c10d::ProcessGroupNCCL>;

  static at::Tensor partOf(const at::Tensor& flat, const BucketRanges& ranges, int rank) {
    return flat.narrow(0, ranges.begin(rank), ranges.size(rank));
  }

  int64_t sentBytes(const std::vector<at::Tensor>& inputs) const {
    int64_t bytes = 0;
    for (int rank = 0; rank < spec_.size; rank++) {
      if (rank != spec_.rank) bytes += static_cast<int64_t>(inputs[rank].nbytes());
    }
    return bytes;
  }

  Nccl connected() {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (!nccl_) throw std::runtime_error(error_.empty() ? "the group is not connected" : error_);
    return nccl_;
  }

  void exchange(std::vector<at::Tensor>& outputs, std::vector<at::Tensor>& inputs) { connected()->alltoall(outputs, inputs)->wait(); }

  // Runs `work` on the stream of the group, after what the program's stream has been given so far.
  template <typename Work>
  void begin(int64_t bucket, Work work) {
    check();
    const auto stream = *stream_;
    at::cuda::CUDAEvent begun;
    begun.record(c10::cuda::getCurrentCUDAStream(device_.index()));
    begun.block(stream);
    const c10::cuda::CUDAStreamGuard guard(stream);
    const int64_t bytes = work();
    finished_[bucket].record(stream);
    const std::lock_guard<std::mutex> lock(mutex_);
    traffic_[bucket].bytes += bytes;
  }

  // NCCL's kernels that wait for a peer end when their communicator is aborted; what they leave behind is not to be used.
  void fail(const std::string& reason) {
    Nccl nccl;
    bool first = false;
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      first = error_.empty();
      if (first) error_ = reason;
      nccl = nccl_;
    }
    *aborted_ = true;
    if (!nccl || !first) return;
    try {
      nccl->abort();
    } catch (const std::exception&) {
      // The communicator may have failed before.
    }
  }

  const GroupSpec spec_;
  const at::Device device_;
  const std::shared_ptr<std::atomic<bool>> aborted_ = std::make_shared<std::atomic<bool>>(false);
  std::mutex mutex_;
  std::string error_;  // guarded by `mutex_`, as are:
  std::map<int64_t, BucketTraffic> traffic_;
  Nccl nccl_;
  // Of the engine's thread only.
  std::optional<c10::cuda::CUDAStream> stream_;
  std::map<int64_t, at::cuda::CUDAEvent> finished_;
};

}  // namespace

std::shared_ptr<Group> makeNcclGroup(const GroupSpec& spec, at::Device device) { return std::make_shared<NcclGroup>(spec, device); }

}  // namespace inception
#endif
