// A step allocates and frees the same sizes in the same order every time. glibc returns large blocks to the system at each
// free and maps fresh zeroed pages at each allocation; a cache of blocks by size never returns them, and holds the maximum
// number of every size at once. Here adjacent free blocks merge, and a request takes the smallest block that fits. The arena
// is one address range so that it can use huge pages (2 MB on Linux): with 4 kB pages a channels-last convolution has more TLB
// misses than cache misses.
#include "arena-allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <sys/mman.h>
#include <torch/version.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

namespace inception {

namespace {

// Precedes each block; its size is the alignment that suits vector loads.
struct alignas(64) Header {
  size_t bytes;  // with the header
};

constexpr size_t unit = sizeof(Header);
constexpr size_t page = size_t{2} << 20;
constexpr size_t minArenaBytes = 1 << 14;  // glibc handles smaller blocks well

size_t roundUp(size_t bytes, size_t multiple) { return (bytes + multiple - 1) / multiple * multiple; }

class Arena {
 public:
  Arena() {
    // Reserving addresses costs nothing; where they are limited (ulimit -v), reserve fewer.
    for (size_t bytes = size_t{1} << 40; !begin_ && bytes >= size_t{1} << 30; bytes /= 4) reserve(bytes);
  }

  bool contains(const void* data) const { return data >= begin_ && data < end_; }

  // Returns null when the arena is full.
  Header* allocate(size_t bytes) {
    const std::lock_guard<std::mutex> guard(lock_);
    bytes = roundUp(bytes + unit, unit);
    auto fit = bySize_.lower_bound({bytes, nullptr});
    if (fit == bySize_.end()) {
      if (!grow(bytes)) return nullptr;
      fit = bySize_.lower_bound({bytes, nullptr});
    }
    char* address = fit->second;
    const size_t blockBytes = fit->first;
    remove(address, blockBytes);
    if (blockBytes > bytes) add(address + bytes, blockBytes - bytes);
    auto* header = reinterpret_cast<Header*>(address);
    header->bytes = bytes;
    return header;
  }

  void deallocate(Header* header) {
    const std::lock_guard<std::mutex> guard(lock_);
    char* address = reinterpret_cast<char*>(header);
    size_t bytes = header->bytes;
    const auto next = byAddress_.lower_bound(address);
    if (next != byAddress_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == address) {
        address = before->first;
        bytes += before->second;
      }
    }
    if (next != byAddress_.end() && next->first == reinterpret_cast<char*>(header) + header->bytes) bytes += next->second;
    merge(address, bytes);
  }

  void trim() {
    const std::lock_guard<std::mutex> guard(lock_);
    for (const auto& [address, bytes] : byAddress_) {
      char* first = begin_ + roundUp(address - begin_, page);
      char* last = address + bytes == top_ ? begin_ + roundUp(top_ - begin_, page) : begin_ + (address + bytes - begin_) / page * page;
      if (first < last) madvise(first, last - first, MADV_DONTNEED);
    }
  }

 private:
  void reserve(size_t bytes) {
    void* range = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) return;
    begin_ = top_ = reinterpret_cast<char*>(roundUp(reinterpret_cast<size_t>(range), page));
    end_ = static_cast<char*>(range) + bytes / page * page - page;
#if defined(MADV_HUGEPAGE)
    madvise(begin_, end_ - begin_, MADV_HUGEPAGE);
#endif
  }

  bool grow(size_t bytes) {
    // A free block at the top only needs extending.
    const auto last = byAddress_.empty() ? byAddress_.end() : std::prev(byAddress_.end());
    const bool atTop = last != byAddress_.end() && last->first + last->second == top_;
    const size_t growth = roundUp(bytes - (atTop ? last->second : 0), page);
    if (growth > static_cast<size_t>(end_ - top_)) return false;
    if (mprotect(top_, growth, PROT_READ | PROT_WRITE) != 0) return false;
    char* start = atTop ? last->first : top_;
    top_ += growth;
    merge(start, top_ - start);
    return true;
  }

  // Replaces the free blocks in this range with one.
  void merge(char* address, size_t bytes) {
    for (auto block = byAddress_.lower_bound(address); block != byAddress_.end() && block->first < address + bytes;) {
      bySize_.erase({block->second, block->first});
      block = byAddress_.erase(block);
    }
    add(address, bytes);
  }

  void add(char* address, size_t bytes) {
    byAddress_.emplace(address, bytes);
    bySize_.emplace(bytes, address);
  }

  void remove(char* address, size_t bytes) {
    byAddress_.erase(address);
    bySize_.erase({bytes, address});
  }

  std::mutex lock_;
  std::map<char*, size_t> byAddress_;
  std::set<std::pair<size_t, char*>> bySize_;
  char* begin_ = nullptr;
  char* top_ = nullptr;
  char* end_ = nullptr;
};

Arena& arena() {
  static auto* instance = new Arena();  // never destroyed: tensors may outlive statics
  return *instance;
}

class ArenaAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes)
#if TORCH_VERSION_MAJOR < 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 3)
      const
#endif
      override {
    void* data = bytes == 0 ? nullptr : allocateBytes(bytes);
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 1)
  void copy_data(void* target, const void* source, std::size_t bytes) const override { std::memcpy(target, source, bytes); }
#endif

 private:
  static void* allocateBytes(size_t bytes) {
    if (bytes > SIZE_MAX / 2) refuse(bytes);
    if (bytes >= minArenaBytes) {
      if (Header* header = arena().allocate(bytes)) return header + 1;
    }
    void* block = nullptr;
    if (posix_memalign(&block, unit, bytes) != 0) refuse(bytes);
    return block;
  }

  [[noreturn]] static void refuse(size_t bytes) {
    TORCH_CHECK(false, "can't allocate memory: ", bytes, " bytes requested");
  }

  static void release(void* data) {
    if (!data) return;
    if (arena().contains(data)) {
      arena().deallocate(static_cast<Header*>(data) - 1);
    } else {
      std::free(data);
    }
  }
};

ArenaAllocator allocator;

}  // namespace

void trimArena() { arena().trim(); }

void installArenaAllocator() { c10::SetCPUAllocator(&allocator, /*priority=*/100); }

}  // namespace inception
