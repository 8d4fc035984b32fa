#include "distortion.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels.h"

namespace inception::images {

namespace {

// src/random.ts
uint32_t mix(uint32_t h) {
  h = (h ^ (h >> 16)) * 0x85ebca6bu;
  h = (h ^ (h >> 13)) * 0xc2b2ae35u;
  return h ^ (h >> 16);
}

class Random {
 public:
  explicit Random(uint32_t key) : state_(mix((0x9e3779b9u ^ (key * 0x85ebca6bu)) + 0x6d2b79f5u)) {}

  uint32_t next() {
    state_ += 0x6d2b79f5u;
    uint32_t t = (state_ ^ (state_ >> 15)) * (state_ | 1);
    t ^= t + (t ^ (t >> 7)) * (t | 61);
    return t ^ (t >> 14);
  }

 private:
  uint32_t state_;
};

int toUnits(double value) { return static_cast<int>(std::floor(value * 4096 + 0.5)); }

void changeColour(uint8_t* pixels, int64_t count, const DistortionRecord& record) {
  const auto& kernels = chooseKernels();
  uint64_t sums[3] = {0, 0, 0};
  kernels.sumChannels(pixels, count, sums);
  const double n = static_cast<double>(count);
  const double means[3] = {static_cast<double>(sums[0]) / n, static_cast<double>(sums[1]) / n, static_cast<double>(sums[2]) / n};
  ColourMap map;
  for (int row = 0; row < 3; row++) {
    const double* factors = record.map + 3 * row;
    const double mean = factors[0] * means[0] + factors[1] * means[1] + factors[2] * means[2] + record.brightness;
    const double offset = (record.brightness - mean) * record.contrast + mean;
    for (int column = 0; column < 3; column++) map.factors[row][column] = static_cast<int16_t>(toUnits(factors[column] * record.contrast));
    map.offsets[row] = toUnits(offset) + 2048;
  }
  kernels.mapColours(pixels, count, map);
}

void erase(uint8_t* pixels, Size size, const DistortionRecord& record) {
  Random random(static_cast<uint32_t>(record.noise));
  const int top = std::clamp(static_cast<int>(record.eraseTop), 0, size.height);
  const int left = std::clamp(static_cast<int>(record.eraseLeft), 0, size.width);
  const int bottom = std::min(size.height, top + static_cast<int>(record.eraseHeight));
  const int right = std::min(size.width, left + static_cast<int>(record.eraseWidth));
  for (int y = top; y < bottom; y++) {
    uint8_t* row = pixels + static_cast<ptrdiff_t>(y) * size.width * 3;
    for (int x = left; x < right; x++) std::memset(row + 3 * x, static_cast<int>(random.next() >> 24), 3);
  }
}

void flipVertically(uint8_t* pixels, Size size) {
  const ptrdiff_t row = static_cast<ptrdiff_t>(size.width) * 3;
  for (int top = 0; top < size.height / 2; top++) std::swap_ranges(pixels + top * row, pixels + (top + 1) * row, pixels + (size.height - 1 - top) * row);
}

}  // namespace

Box cropOf(Size image, const DistortionRecord& record) {
  const double height = image.height;
  const double width = image.width;
  for (int index = 0; index < static_cast<int>(record.cropCount) && index < DistortionRecord::maxCrops; index++) {
    const auto& crop = record.crops[index];
    const double pixels = height * width * crop.area;
    const double cropWidth = std::sqrt(pixels * crop.ratio);
    const double cropHeight = std::sqrt(pixels / crop.ratio);
    if (cropWidth > width || cropHeight > height) continue;
    return {(height - cropHeight) * crop.top + record.down, (width - cropWidth) * crop.left + record.right, cropHeight, cropWidth};
  }
  return {record.down, record.right, height, width};
}

void changePixels(uint8_t* pixels, Size size, const DistortionRecord& record) {
  if (record.verticalFlip != 0) flipVertically(pixels, size);
  if (record.hasColour != 0) changeColour(pixels, static_cast<int64_t>(size.height) * size.width, record);
  if (record.hasErase != 0) erase(pixels, size, record);
}

}  // namespace inception::images
