// The single crop of an evaluation: preprocess() of src/images/preprocess.ts.
#pragma once
#include <cstdint>

#include "pool.h"
#include "resize.h"
#include "source.h"

namespace inception::images {

// In the order of `protocols`.
enum class Protocol { tfSlim, timm };

struct SingleCrop {
  Size size;
  // 1 or 3.
  int channels;
  Protocol protocol;
  double crop;
  Kernel kernel;
  // Writes the mirrored crop behind the other.
  bool isMirrored;
};

// Writes [height, width, channels], once or twice. False for an image that is left to others.
bool takeSingleCrop(const Source& source, const SingleCrop& crop, Scratch& scratch, uint8_t* target) noexcept;

}  // namespace inception::images
