// Bilinear resampling of a box: resample() of src/images/image.ts, with the same bits.
#pragma once
#include <cstdint>
#include <vector>

#include "image.h"

namespace inception::images {

// For every output position two neighbouring input positions and their weights, in units of 2⁻¹⁴. Positions of no weight lie inside too.
struct Taps {
  std::vector<int32_t> first;
  std::vector<int32_t> second;
  std::vector<int16_t> firstWeight;
  std::vector<int16_t> secondWeight;
  // The inputs that are read: from `begin` up to before `end`.
  int begin = 0;
  int end = 1;
};

struct BilinearPlan {
  Taps rows;
  Taps columns;

  Part reads() const { return {rows.begin, columns.begin, rows.end - rows.begin, columns.end - columns.begin}; }
};

// Resampling `box` of an image to `whole`, of which `part` is computed; mirrored, if `flip`.
BilinearPlan planBilinear(Size image, const Box& box, Size whole, Part part, bool flip);

// Memory that a thread uses again.
struct ResampleScratch {
  std::vector<int16_t> blended;
  std::vector<int32_t> offsets;
  std::vector<int32_t> weights;
  std::vector<uint8_t> row;
};

// Writes [rows, columns, 3]. `source` holds at least what the plan reads.
void resample(const Pixels& source, const BilinearPlan& plan, ResampleScratch& scratch, uint8_t* target);

}  // namespace inception::images
