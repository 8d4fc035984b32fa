#include "prepare-image.h"

#include <cstring>
#include <exception>

#include "jpeg-decoder.h"

namespace inception::images {

namespace {

// Gives a part of an image in memory; grey becomes three equal channels.
Pixels pixelsOf(const Source& source, Part part, std::vector<uint8_t>& memory) {
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

bool prepare(const Source& source, const DistortionRecord& record, Size size, Scratch& scratch, uint8_t* target) {
  const Part whole{0, 0, size.height, size.width};
  const auto planFor = [&](Size image) { return planBilinear(image, cropOf(image, record), size, whole, record.flip != 0); };
  const auto finish = [&](const Pixels& pixels, const BilinearPlan& plan) {
    resample(pixels, plan, scratch.resample, target);
    changePixels(target, size, record);
  };
  if (source.pixels.height > 0) {
    const auto plan = planFor(source.pixels);
    finish(pixelsOf(source, plan.reads(), scratch.pixels), plan);
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
  if (!decoder.readHeader()) return false;
  const auto plan = planFor(decoder.size());
  Pixels pixels{};
  if (!decoder.decode(plan.reads(), scratch.pixels, pixels)) return false;
  finish(pixels, plan);
  return true;
}

}  // namespace

bool prepareImage(const Source& source, const DistortionRecord& record, Size size, Scratch& scratch, uint8_t* target) noexcept {
  try {
    return prepare(source, record, size, scratch, target);
  } catch (const std::exception&) {
    // No memory.
    return false;
  }
}

}  // namespace inception::images
