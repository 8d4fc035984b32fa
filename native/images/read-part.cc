#include "read-part.h"

#include <cstring>

#include "jpeg-decoder.h"

namespace inception::images {

namespace {

// Of an image in memory; grey becomes three equal channels.
Pixels copyPart(const Source& source, Part part, std::vector<uint8_t>& memory) {
  const auto width = static_cast<ptrdiff_t>(source.pixels.width);
  const auto columns = static_cast<size_t>(part.width);
  memory.resize(columns * static_cast<size_t>(part.height) * 3 + 64);
  uint8_t* target = memory.data();
  for (int y = part.top; y < part.top + part.height; y++, target += columns * 3) {
    const uint8_t* row = source.bytes + (y * width + part.left) * source.channels;
    if (source.channels == 3) {
      std::memcpy(target, row, columns * 3);
    } else {
      for (size_t x = 0; x < columns; x++) std::memset(target + 3 * x, row[x], 3);
    }
  }
  return {memory.data(), static_cast<ptrdiff_t>(columns) * 3, part};
}

}  // namespace

bool readPart(const Source& source, Scratch& scratch, const std::function<Part(Size)>& choose, Pixels& pixels) {
  if (source.pixels.height > 0) {
    pixels = copyPart(source, choose(source.pixels), scratch.pixels);
    return true;
  }
  const uint8_t* bytes = source.bytes;
  size_t length = source.byteCount;
  if (bytes == nullptr) {
    if (!readFile(source, scratch.file)) return false;
    bytes = scratch.file.data();
    length = scratch.file.size();
  }
  if (length < 4 || bytes[0] != 0xff || bytes[1] != 0xd8) return false;
  JpegDecoder decoder(bytes, length);
  return decoder.readHeader() && decoder.decode(choose(decoder.size()), scratch.pixels, pixels);
}

}  // namespace inception::images
