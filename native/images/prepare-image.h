// One image of a training batch: read, decoded where the crop lies, resampled, distorted.
#pragma once
#include <cstdint>

#include "distortion.h"
#include "pool.h"
#include "source.h"

namespace inception::images {

// Writes [height, width, 3]. False for an image that is left to others: whatever it is that could not be done here, they have the words for it.
bool prepareImage(const Source& source, const DistortionRecord& record, Size size, Scratch& scratch, uint8_t* target) noexcept;

}  // namespace inception::images
