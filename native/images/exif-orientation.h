// The orientation that a camera wrote into a file: how its pixels have to be turned to be upright.
#pragma once
#include <cstddef>
#include <cstdint>

namespace inception::images {

// From the content of a JPEG's APP1 marker: 1 to 8; 1, upright, where there is none, or none that can be read.
int exifOrientation(const uint8_t* bytes, size_t length);

}  // namespace inception::images
