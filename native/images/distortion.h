// What is done with a training image: the second half of src/images/augment.ts, with the same bits.
#pragma once
#include <cstdint>
#include <optional>

#include "image.h"
#include "resample.h"

namespace inception::images {

// As src/data/native/distortion-record.ts writes it; all values are float64.
struct DistortionRecord {
  static constexpr int maxCrops = 10;
  struct Crop {
    double area, ratio, top, left;
  };
  double flip;
  double verticalFlip;
  double down, right;
  double cropCount;
  Crop crops[maxCrops];
  double hasColour;
  double map[9];
  double brightness, contrast;
  double hasErase;
  double eraseTop, eraseLeft, eraseHeight, eraseWidth, noise;
};
static_assert(sizeof(DistortionRecord) == 63 * sizeof(double));

// Of an image of this size, which part is resampled to the result.
Box cropOf(Size image, const DistortionRecord& record);

// What is done after cropping and mirroring, in place on [height, width, 3].
void changePixels(uint8_t* pixels, Size size, const DistortionRecord& record);

}  // namespace inception::images
