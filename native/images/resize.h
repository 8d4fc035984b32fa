// Resizing with the results of other libraries: resize() of src/images/resize.ts.
#pragma once
#include <cstdint>
#include <vector>

#include "image.h"
#include "resample.h"

namespace inception::images {

// In the order of `resamplingKernels`.
enum class Kernel { bilinear, pillowNearest, pillowBox, pillowBilinear, pillowHamming, pillowBicubic, pillowLanczos, tfBilinear, tfBilinearCorners };
constexpr int kernelCount = 9;

// `part` of the result of resizing `from` of an image to `whole`.
struct Resizing {
  Part from;
  Size whole;
  Part part;
};

// What of the image it reads, at least.
Part readsOf(Kernel kernel, const Resizing& resizing);

// Writes [part's height, part's width, 3]. Not for Kernel::bilinear, which resamples a box.
void resize(const Pixels& source, Kernel kernel, const Resizing& resizing, uint8_t* target);

}  // namespace inception::images
