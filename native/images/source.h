// Where the bytes of an image come from.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "image.h"

namespace inception::images {

struct Source {
  // A whole file, or `length` bytes of it from `offset`; empty for bytes in memory.
  std::string file;
  int64_t offset = 0;
  // Below 0: up to the end.
  int64_t length = -1;
  // Encoded bytes, or pixels if the size is above 0. They live until the batch is done.
  const uint8_t* bytes = nullptr;
  size_t byteCount = 0;
  Size pixels{0, 0};
  int channels = 0;
};

// As for readImageFile().
constexpr int64_t maxFileBytes = int64_t{1} << 29;

// Reads a file, or a part of it. False if it cannot be read or is too large.
bool readFile(const Source& source, std::vector<uint8_t>& bytes);

}  // namespace inception::images
