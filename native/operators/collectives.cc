// Sums over the replicas of a training, in buckets: consecutive ranges of the gradients. Each process owns a part of every bucket,
// adds up that part of all processes' values in the order of ranks, and sends the mean to the others. Without a group the process
// is a group of one, with the same bits as results.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include "group.h"
#include "sum-in-order.h"
#include "tensors.h"

namespace inception {

namespace {

void expectBucket(const at::Tensor& sums, int64_t bucket) {
  TORCH_CHECK(sums.scalar_type() == at::kFloat && sums.is_contiguous(), "sums: expected contiguous float32, received ",
              sums.scalar_type(), " ", sums.sizes(), " with strides ", sums.strides());
  TORCH_CHECK(bucket >= 0 && bucket < Group::maxBuckets, "bucket: expected 0 to ", Group::maxBuckets - 1, ", received ", bucket);
}

// Whether both are the same memory.
bool expectValues(const at::Tensor& sums, const at::Tensor& values) {
  TORCH_CHECK(values.scalar_type() == at::kFloat && values.is_contiguous() && values.numel() == sums.numel(),
              "values: expected ", sums.numel(), " contiguous float32 values, as many as sums, received ", values.scalar_type(), " ",
              values.sizes());
  return values.data_ptr() == sums.data_ptr();
}

}  // namespace

at::Tensor accumulateBucket(const at::Tensor& sums, const at::Tensor& values, int64_t bucket, bool rounded) {
  expectBucket(sums, bucket);
  const bool same = expectValues(sums, values);
  if (auto* group = Group::current()) {
    group->accumulate(sums, values, bucket, rounded);
  } else if (sums.is_cpu()) {
    float *total = sums.data_ptr<float>(), *mine = values.data_ptr<float>();
    at::parallel_for(0, sums.numel(), parallelGrain, [&](int64_t begin, int64_t end) {
      sumInOrder(total + begin, same, {{mine + begin, false}}, rounded, end - begin);
    });
  } else {
    const auto added = rounded ? values.to(at::kBFloat16) : values;
    if (same) {
      sums.copy_(added).add_(0);
    } else {
      sums.add_(added);
    }
  }
  return sums;
}

at::Tensor shareBucket(const at::Tensor& sums, int64_t bucket, int64_t replicas, bool rounded) {
  expectBucket(sums, bucket);
  TORCH_CHECK(replicas > 0, "replicas: expected at least 1, received ", replicas);
  if (auto* group = Group::current()) {
    group->share(sums, bucket, replicas, rounded);
  } else if (sums.is_cpu()) {
    float* total = sums.data_ptr<float>();
    at::parallel_for(0, sums.numel(), parallelGrain, [&](int64_t begin, int64_t end) {
      divideByReplicas(total + begin, end - begin, replicas, rounded);
    });
  } else {
    sums.mul_(1.f / static_cast<float>(replicas));
    if (rounded) sums.copy_(sums.to(at::kBFloat16));
  }
  return sums;
}

at::Tensor waitForBucket(const at::Tensor& sums, const at::Tensor& values, int64_t bucket) {
  expectBucket(sums, bucket);
  if (auto* group = Group::current()) group->wait(bucket);
  return sums;
}

at::Tensor gatherAll(const at::Tensor& values) {
  auto* group = Group::current();
  return group ? group->gatherAll(values) : values.unsqueeze(0).clone();
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  // Begins: every process sends each other process that one's part of `values`; a part's owner adds those of all processes, in the
  // order of ranks, to its part of `sums`. If both are the same memory, the sum starts from zero instead. `rounded`: values are
  // rounded to bfloat16 first, the own ones too, and travel so.
  library.def("accumulate_(Tensor(a!) sums, Tensor values, int bucket, bool rounded) -> Tensor(a!)");
  // Begins: a part's owner divides it by the number of replicas, rounds it if asked to, and sends it to all.
  library.def("share_(Tensor(a!) sums, int bucket, int replicas, bool rounded) -> Tensor(a!)");
  // Waits for all that was begun on the bucket. `values`, which are read until then, are an argument so that nothing that writes
  // them is moved before this step.
  library.def("wait_(Tensor(a!) sums, Tensor values, int bucket) -> Tensor(a!)");
  // [processes, …], in the order of ranks. Blocks; for small tensors.
  library.def("gather_all(Tensor values) -> Tensor");
}

// For every device: each has its kind of group.
TORCH_LIBRARY_IMPL(inception, CompositeExplicitAutograd, library) {
  library.impl("accumulate_", accumulateBucket);
  library.impl("share_", shareBucket);
  library.impl("wait_", waitForBucket);
  library.impl("gather_all", gatherAll);
}

}  // namespace inception
