// XXH64 of memory (https://xxhash.com, seed 0): fast enough for all weights of a network, and other tools compute it too.
#pragma once
#include <cstddef>
#include <string>

namespace inception {

// 16 hexadecimal digits.
std::string checksum(const void* data, size_t bytes);

}  // namespace inception
