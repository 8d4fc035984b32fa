// A step allocates and frees the same sizes in the same order every time. glibc returns large blocks to the system at each
// free and takes new pages, zeroed one by one, at each allocation; a cache of blocks by their size never returns them, but
// holds every size's largest number at once. Here neighbouring free blocks join again, and a request takes the smallest
// that is large enough. The arena is one range of addresses, so that its pages can be large ones (2 MB on Linux): with
// pages of 4 kB a channels-last convolution misses the address cache more often than it misses the data.
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

// Before each block; as long as vector loads like their data aligned.
struct alignas(64) Header {
  size_t bytes;  // with the header
};

constexpr size_t unit = sizeof(Header);
constexpr size_t page = size_t{2} << 20;
constexpr size_t smallest = 1 << 14;  // glibc is good at small blocks

size_t roundUp(size_t bytes, size_t multiple) { return (bytes + multiple - 1) / multiple * multiple; }

class Arena {
 public:
  Arena() {
    // Addresses alone cost nothing; where their number is limited (ulimit -v) fewer do.
    for (size_t bytes = size_t{1} << 40; !begin_ && bytes >= size_t{1} << 30; bytes /= 4) reserve(bytes);
  }

  bool holds(const void* data) const { return data >= begin_ && data < end_; }

  // Null where there is no room.
  Header* take(size_t bytes) {
    const std::lock_guard<std::mutex> guard(lock_);
    bytes = roundUp(bytes + unit, unit);
    auto fit = bySize_.lower_bound({bytes, nullptr});
    if (fit == bySize_.end()) {
      if (!grow(bytes)) return nullptr;
      fit = bySize_.lower_bound({bytes, nullptr});
    }
    char* address = fit->second;
    const size_t all = fit->first;
    remove(address, all);
    if (all > bytes) add(address + bytes, all - bytes);
    auto* header = reinterpret_cast<Header*>(address);
    header->bytes = bytes;
    return header;
  }

  void give(Header* header) {
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
    join(address, bytes);
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
    // What is free at the end need not be asked for again.
    const auto last = byAddress_.empty() ? byAddress_.end() : std::prev(byAddress_.end());
    const bool atTop = last != byAddress_.end() && last->first + last->second == top_;
    const size_t more = roundUp(bytes - (atTop ? last->second : 0), page);
    if (more > static_cast<size_t>(end_ - top_)) return false;
    if (mprotect(top_, more, PROT_READ | PROT_WRITE) != 0) return false;
    char* from = atTop ? last->first : top_;
    top_ += more;
    join(from, top_ - from);
    return true;
  }

  // One free block instead of those that lie in it.
  void join(char* address, size_t bytes) {
    for (auto inside = byAddress_.lower_bound(address); inside != byAddress_.end() && inside->first < address + bytes;) {
      bySize_.erase({inside->second, inside->first});
      inside = byAddress_.erase(inside);
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
  static auto* one = new Arena();  // never destroyed: tensors may outlive statics
  return *one;
}

class ArenaAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes)
#if TORCH_VERSION_MAJOR < 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 3)
      const
#endif
      override {
    void* data = bytes == 0 ? nullptr : take(bytes);
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 1)
  void copy_data(void* target, const void* source, std::size_t bytes) const override { std::memcpy(target, source, bytes); }
#endif

 private:
  static void* take(size_t bytes) {
    if (bytes > SIZE_MAX / 2) refuse(bytes);
    if (bytes >= smallest) {
      if (Header* header = arena().take(bytes)) return header + 1;
    }
    void* block = nullptr;
    if (posix_memalign(&block, unit, bytes) != 0) refuse(bytes);
    return block;
  }

  [[noreturn]] static void refuse(size_t bytes) {
    TORCH_CHECK(false, "can't allocate memory: ", bytes, " bytes were asked for");
  }

  static void release(void* data) {
    if (!data) return;
    if (arena().holds(data)) {
      arena().give(static_cast<Header*>(data) - 1);
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
