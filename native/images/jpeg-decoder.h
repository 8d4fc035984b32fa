// A part of a JPEG, decoded by libjpeg-turbo. Everything that is not a plain 8-bit JPEG in grey, YCbCr or RGB without a colour profile,
// and everything that is damaged, is left to the decoder behind sharp, which also has the words for what is wrong.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "image.h"

namespace inception::images {

constexpr int64_t maxPixels = 50'000'000;
constexpr int maxSide = 65'535;

// A file of a few kilobytes can make a decoder go over all of its pixels once for each of any number of scans.
constexpr int maxScans = 100;

class JpegDecoder {
 public:
  // The bytes must outlive the decoder.
  JpegDecoder(const uint8_t* bytes, size_t length);
  ~JpegDecoder();
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  // Reads up to the first scan. False for a file that is left to others.
  bool readHeader();

  // Upright, as the EXIF orientation says.
  Size size() const;

  // Decodes at least `wanted` of the upright image into `memory`, which `pixels` refers to then. False if the file is damaged.
  bool decode(Part wanted, std::vector<uint8_t>& memory, Pixels& pixels);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace inception::images
