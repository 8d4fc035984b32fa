#include "join-store.h"

#if defined(INCEPTION_GLOO) || defined(INCEPTION_NCCL)
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace inception {

namespace {

// Of a connection and of each request. All processes have just met elsewhere, so nobody is late.
constexpr std::chrono::seconds storeTimeout{30};
// For what other processes put into the store. Whoever watches them aborts the group long before.
constexpr std::chrono::minutes joinTimeout{10};
constexpr std::chrono::milliseconds pollInterval{2};

using StorePointer = c10::intrusive_ptr<c10d::Store>;

// Stores cannot be copied before libtorch 2.6, where nothing asks for it.
template <typename Store>
auto cloneOf(Store& store, int) -> decltype(store.clone()) {
  return store.clone();
}
template <typename Store>
StorePointer cloneOf(Store& store, long) {
  return StorePointer::reclaim_copy(&store);
}

class AbortableStore : public c10d::Store {
 public:
  AbortableStore(StorePointer inner, std::shared_ptr<std::atomic<bool>> aborted)
      : c10d::Store(joinTimeout), inner_(std::move(inner)), aborted_(std::move(aborted)) {}

  // Overrides where the base class has it.
  StorePointer clone() { return c10::make_intrusive<AbortableStore>(cloneOf(*inner_, 0), aborted_); }

  void set(const std::string& key, const std::vector<uint8_t>& value) override { inner_->set(key, value); }
  std::vector<uint8_t> compareSet(const std::string& key, const std::vector<uint8_t>& expected,
                                  const std::vector<uint8_t>& desired) override {
    return inner_->compareSet(key, expected, desired);
  }
  std::vector<uint8_t> get(const std::string& key) override {
    wait({key});
    return inner_->get(key);
  }
  int64_t add(const std::string& key, int64_t value) override { return inner_->add(key, value); }
  bool deleteKey(const std::string& key) override { return inner_->deleteKey(key); }
  bool check(const std::vector<std::string>& keys) override { return inner_->check(keys); }
  int64_t getNumKeys() override { return inner_->getNumKeys(); }
  void wait(const std::vector<std::string>& keys) override { wait(keys, joinTimeout); }
  void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds&) override {
    const auto end = std::chrono::steady_clock::now() + joinTimeout;
    while (!inner_->check(keys)) {
      if (*aborted_) throw std::runtime_error("aborted");
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("another process did not join within 10 minutes");
      std::this_thread::sleep_for(pollInterval);
    }
  }

 private:
  StorePointer inner_;
  std::shared_ptr<std::atomic<bool>> aborted_;
};

struct TcpStoreServer : StoreServer {
  TcpStoreServer() {
    c10d::TCPStoreOptions options;
    options.port = 0;
    options.isServer = true;
    options.waitWorkers = false;
    options.timeout = storeTimeout;
    store = c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
  }
  int port() const override { return store->getPort(); }
  c10::intrusive_ptr<c10d::TCPStore> store;
};

}  // namespace

std::unique_ptr<StoreServer> serveStore() { return std::make_unique<TcpStoreServer>(); }

c10::intrusive_ptr<c10d::Store> connectToStore(const GroupSpec& spec, std::shared_ptr<std::atomic<bool>> aborted) {
  c10d::TCPStoreOptions options;
  options.port = spec.port;
  options.waitWorkers = false;
  options.timeout = storeTimeout;
  return c10::make_intrusive<AbortableStore>(c10::make_intrusive<c10d::TCPStore>(spec.host, options), std::move(aborted));
}

}  // namespace inception
#endif
