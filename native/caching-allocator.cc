// A program allocates the same sizes in every run. glibc maps and unmaps each large one anew, and the kernel clears every
// page again: a tenth of a small training step. Here freed blocks wait for the next request of about their size.
#include "caching-allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <torch/version.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

namespace inception {

namespace {

constexpr size_t headerBytes = 64;  // keeps the data on 64 bytes, as vector loads like it
constexpr size_t smallest = 1 << 14;  // glibc is good at small blocks

struct Header {
  size_t bytes;
};

class CachingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes)
#if TORCH_VERSION_MAJOR < 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 3)
      const
#endif
      override {
    if (bytes == 0) return {nullptr, nullptr, &release, c10::Device(c10::DeviceType::CPU)};
    void* data = take(bytes);
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 1)
  void copy_data(void* to, const void* from, std::size_t bytes) const override { std::memcpy(to, from, bytes); }
#endif

  static void dropWaiting() {
    const std::lock_guard<std::mutex> guard(mutex());
    for (const auto& entry : waiting()) std::free(entry.second);
    waiting().clear();
  }

 private:
  static std::mutex& mutex() {
    static std::mutex lock;
    return lock;
  }

  static std::multimap<size_t, Header*>& waiting() {
    static auto* blocks = new std::multimap<size_t, Header*>();  // never destroyed: tensors may outlive statics
    return *blocks;
  }

  static void* take(size_t bytes) {
    if (bytes >= smallest) {
      const std::lock_guard<std::mutex> guard(mutex());
      const auto found = waiting().lower_bound(bytes);
      if (found != waiting().end() && found->first <= bytes + bytes / 8) {
        Header* header = found->second;
        waiting().erase(found);
        return reinterpret_cast<char*>(header) + headerBytes;
      }
    }
    void* block = fresh(bytes);
    static_cast<Header*>(block)->bytes = bytes;
    return static_cast<char*>(block) + headerBytes;
  }

  static void* fresh(size_t bytes) {
    void* block = nullptr;
    if (bytes > SIZE_MAX - headerBytes) refuse(bytes);
    if (posix_memalign(&block, headerBytes, bytes + headerBytes) == 0) return block;
    dropWaiting();
    if (posix_memalign(&block, headerBytes, bytes + headerBytes) == 0) return block;
    refuse(bytes);
  }

  [[noreturn]] static void refuse(size_t bytes) {
    TORCH_CHECK(false, "can't allocate memory: ", bytes, " bytes were asked for");
  }

  static void release(void* data) {
    if (!data) return;
    auto* header = reinterpret_cast<Header*>(static_cast<char*>(data) - headerBytes);
    if (header->bytes < smallest) {
      std::free(header);
      return;
    }
    const std::lock_guard<std::mutex> guard(mutex());
    waiting().emplace(header->bytes, header);
  }
};

CachingAllocator allocator;

}  // namespace

void dropCachedBlocks() { CachingAllocator::dropWaiting(); }

void installCachingAllocator() { c10::SetCPUAllocator(&allocator, /*priority=*/100); }

}  // namespace inception
