#include "checksum.h"

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace inception {

namespace {

constexpr uint64_t prime1 = 0x9E3779B185EBCA87, prime2 = 0xC2B2AE3D27D4EB4F, prime3 = 0x165667B19E3779F9,
                   prime4 = 0x85EBCA77C2B2AE63, prime5 = 0x27D4EB2F165667C5;

uint64_t rotate(uint64_t value, int bits) { return value << bits | value >> (64 - bits); }

template <typename Word>
Word wordAt(const unsigned char* place) {
  Word word;
  std::memcpy(&word, place, sizeof word);
  return word;
}

uint64_t mixWord(uint64_t sum, uint64_t word) { return rotate(sum + word * prime2, 31) * prime1; }

uint64_t xxh64(const unsigned char* data, size_t bytes) {
  const unsigned char* const end = data + bytes;
  uint64_t hash = prime5;
  if (bytes >= 32) {
    uint64_t lanes[4] = {prime1 + prime2, prime2, 0, 0 - prime1};
    for (; end - data >= 32; data += 32) {
      for (int lane = 0; lane < 4; lane++) lanes[lane] = mixWord(lanes[lane], wordAt<uint64_t>(data + 8 * lane));
    }
    hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (const uint64_t lane : lanes) hash = (hash ^ mixWord(0, lane)) * prime1 + prime4;
  }
  hash += bytes;
  for (; end - data >= 8; data += 8) hash = rotate(hash ^ mixWord(0, wordAt<uint64_t>(data)), 27) * prime1 + prime4;
  for (; end - data >= 4; data += 4) hash = rotate(hash ^ wordAt<uint32_t>(data) * prime1, 23) * prime2 + prime3;
  for (; data < end; data++) hash = rotate(hash ^ *data * prime5, 11) * prime1;
  hash = (hash ^ hash >> 33) * prime2;
  hash = (hash ^ hash >> 29) * prime3;
  return hash ^ hash >> 32;
}

}  // namespace

std::string checksum(const void* data, size_t bytes) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(xxh64(static_cast<const unsigned char*>(data), bytes)));
  return text;
}

}  // namespace inception
