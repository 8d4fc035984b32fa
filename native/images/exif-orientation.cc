#include "exif-orientation.h"

#include <cstring>

namespace inception::images {

namespace {

// Numbers in the byte order of a TIFF header; 0 behind the end.
class Tiff {
 public:
  Tiff(const uint8_t* bytes, size_t length) : bytes_(bytes), length_(length), little_(length >= 4 && std::memcmp(bytes, "II*\0", 4) == 0) {}

  bool isValid() const { return little_ || (length_ >= 4 && std::memcmp(bytes_, "MM\0*", 4) == 0); }

  uint32_t read(size_t at, size_t bytes) const {
    if (at > length_ || length_ - at < bytes) return 0;
    uint32_t value = 0;
    for (size_t index = 0; index < bytes; index++) value = value << 8 | bytes_[little_ ? at + bytes - 1 - index : at + index];
    return value;
  }

 private:
  const uint8_t* bytes_;
  size_t length_;
  bool little_;
};

constexpr uint32_t orientationTag = 0x0112;
constexpr uint32_t shortType = 3;

}  // namespace

int exifOrientation(const uint8_t* bytes, size_t length) {
  if (length < 14 || std::memcmp(bytes, "Exif\0\0", 6) != 0) return 1;
  const Tiff tiff(bytes + 6, length - 6);
  if (!tiff.isValid()) return 1;
  const size_t directory = tiff.read(4, 4);
  const uint32_t entries = tiff.read(directory, 2);
  for (uint32_t entry = 0; entry < entries; entry++) {
    const size_t at = directory + 2 + 12 * static_cast<size_t>(entry);
    if (at >= length) return 1;
    if (tiff.read(at, 2) != orientationTag) continue;
    const uint32_t value = tiff.read(at + 2, 2) == shortType ? tiff.read(at + 8, 2) : 0;
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace inception::images
