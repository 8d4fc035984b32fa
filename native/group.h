// A group of processes that train together, and what the operators of a program need of it. c10d carries the tensors: Gloo on the
// CPU (group-gloo.cc), NCCL on CUDA (group-nccl.cc). The sums are our own, in the order of ranks (operators/sum-in-order.h).
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace inception {

struct GroupSpec {
  int rank = 0;
  int size = 1;
  // Where rank 0 serves the store by which the processes find each other.
  std::string host;
  uint16_t port = 0;
  // The local address, or the network interface, by which the other processes reach this one.
  std::string address;
  std::string networkInterface;
};

// What one bucket has cost since the group was joined.
struct BucketTraffic {
  int64_t bytes = 0;  // sent by this process
  double busyMs = 0;  // on the threads that communicate, waiting for other processes included
  double exposedMs = 0;  // for which the program waited
};

class Group {
 public:
  // Bucket of the traffic of `gatherAll` and `broadcast`.
  static constexpr int64_t noBucket = -1;
  static constexpr int64_t maxBuckets = 1 << 20;

  // Not connected yet. Throws std::runtime_error where the addon cannot carry tensors of this device.
  static std::shared_ptr<Group> create(const GroupSpec& spec, at::Device device);

  virtual ~Group() = default;

  // Connects to all other processes, which do the same. Blocks.
  virtual void connect() = 0;

  // As the operators of these names (operators/collectives.cc). All processes call them in the same order.
  virtual void accumulate(const at::Tensor& sums, const at::Tensor& values, int64_t bucket, bool rounded) = 0;
  virtual void share(const at::Tensor& sums, int64_t bucket, int64_t replicas, bool rounded) = 0;
  virtual void wait(int64_t bucket) = 0;
  virtual at::Tensor gatherAll(const at::Tensor& values) = 0;

  // Overwrites a contiguous tensor by that of rank 0. Blocks.
  virtual void broadcast(const at::Tensor& tensor) = 0;

  // By bucket.
  virtual std::map<int64_t, BucketTraffic> traffic() = 0;

  // May be called on any thread at any moment: whatever waits for another process ends and throws an error with this reason, as
  // does every later call.
  virtual void abort(const std::string& reason) = 0;

  // Throws the reason if the group was aborted or has failed.
  virtual void check() = 0;

  // Closes all connections. Nothing may be in progress unless the group was aborted. Never throws.
  virtual void close() = 0;

  // The group of the calling thread's engine; null where nobody has joined one.
  static Group* current();
  static void setCurrent(Group* group);
};

// Serves the store by which processes find each other, until it is destroyed.
struct StoreServer {
  virtual ~StoreServer() = default;
  virtual int port() const = 0;
};
std::unique_ptr<StoreServer> serveStore();

// What this addon was built with.
bool hasGloo();
bool hasNccl();

}  // namespace inception
