// The inner loops. kernels.cc is compiled once per instruction set; all give the same bits.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace inception::images {

// A linear map of (r, g, b), in units of 2⁻¹²; the offsets hold the half that rounds.
struct ColourMap {
  int16_t factors[3][3];
  int32_t offsets[3];
};

struct Kernels {
  const char* instructionSet;
  // blended = (upper · upperWeight + lower · lowerWeight) / 2⁷, rounded. Reads no byte behind `count`; writes up to 31 values behind.
  void (*blendRows)(const uint8_t* upper, const uint8_t* lower, int count, int upperWeight, int lowerWeight, int16_t* blended);
  // For each pixel, of three values: (values[offset] · low half of weight + values[offset + 3] · high half) / 2²¹, rounded. Reads up to
  // 8 values behind the last offset; writes up to 31 bytes behind the row.
  void (*blendColumns)(const int16_t* values, const int32_t* offsets, const int32_t* weights, int width, uint8_t* row);
  // Adds up the values of each of three channels.
  void (*sumChannels)(const uint8_t* pixels, int64_t count, uint64_t* sums);
  void (*mapColours)(uint8_t* pixels, int64_t count, const ColourMap& map);
  // sums += values · weight
  void (*addWeighted)(const uint8_t* values, int64_t count, int32_t weight, int32_t* sums);
  // Values of 22-bit fixed point as bytes, cut off at 0 and 255.
  void (*toBytes)(const int32_t* sums, int64_t count, uint8_t* bytes);
};

// The best kernels for this processor, or those chosen by useKernels().
const Kernels& chooseKernels();

// Names of the instruction sets that this processor supports, best last.
std::vector<std::string> kernelNames();

// Selects kernels for the whole process. Throws std::invalid_argument for a name that is not among kernelNames().
void useKernels(const std::string& name);

}  // namespace inception::images
