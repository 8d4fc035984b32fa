// Compiled once per instruction set; KERNELS names the resulting table. Portable loops are what the vectors compute, value by value.
#include "kernels.h"

#include <algorithm>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace inception::images {

namespace {

inline uint8_t toByte(int32_t value) { return static_cast<uint8_t>(std::min(255, std::max(0, value))); }

void blendRows(const uint8_t* upper, const uint8_t* lower, int count, int upperWeight, int lowerWeight, int16_t* blended) {
  int index = 0;
#if defined(__AVX2__)
  const __m256i weights = _mm256_set1_epi32(lowerWeight << 16 | upperWeight);
  const __m256i half = _mm256_set1_epi32(1 << 6);
  for (; index + 16 <= count; index += 16) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(upper + index));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(lower + index));
    const __m256i low = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
    const __m256i high = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
    const __m256i first = _mm256_srai_epi32(_mm256_add_epi32(_mm256_madd_epi16(low, weights), half), 7);
    const __m256i second = _mm256_srai_epi32(_mm256_add_epi32(_mm256_madd_epi16(high, weights), half), 7);
    // Packing interleaves the halves of the two.
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi32(first, second), 0xd8);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(blended + index), packed);
  }
#endif
  for (; index < count; index++) blended[index] = static_cast<int16_t>((upper[index] * upperWeight + lower[index] * lowerWeight + (1 << 6)) >> 7);
}

void blendColumns(const int16_t* values, const int32_t* offsets, const int32_t* weights, int width, uint8_t* row) {
  int x = 0;
#if defined(__AVX2__)
  // l0 l1 l2 r0 r1 r2 becomes l0 r0 l1 r1 l2 r2.
  const __m256i pairs = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, -1, -1, -1, -1));
  const __m256i six = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 4, 5, 6, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
  const __m256i half = _mm256_set1_epi32(1 << 20);
  const auto load = [&](int at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + offsets[at])); };
  const auto blend = [&](int first, int second) {
    const __m256i pixels = _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(load(first)), load(second), 1), pairs);
    const __m256i by = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_set1_epi32(weights[first])), _mm_set1_epi32(weights[second]), 1);
    return _mm256_srai_epi32(_mm256_add_epi32(_mm256_madd_epi16(pixels, by), half), 21);
  };
  for (; x + 4 <= width; x += 4) {
    const __m256i words = _mm256_packs_epi32(blend(x, x + 2), blend(x + 1, x + 3));
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_packus_epi16(words, words), six);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(row + 3 * x), _mm256_castsi256_si128(bytes));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(row + 3 * x + 6), _mm256_extracti128_si256(bytes, 1));
  }
#endif
  for (; x < width; x++) {
    const int16_t* pixel = values + offsets[x];
    const int32_t left = weights[x] & 0xffff;
    const int32_t right = static_cast<int32_t>(static_cast<uint32_t>(weights[x]) >> 16);
    for (int channel = 0; channel < 3; channel++)
      row[3 * x + channel] = static_cast<uint8_t>((pixel[channel] * left + pixel[channel + 3] * right + (1 << 20)) >> 21);
  }
}

void sumChannels(const uint8_t* pixels, int64_t count, uint64_t* sums) {
  int64_t index = 0;
#if defined(__AVX2__)
  // Four pixels a lane: reds in its first eight bytes, greens in its last; then blues.
  const __m256i redsGreens = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 3, 6, 9, -1, -1, -1, -1, 1, 4, 7, 10, -1, -1, -1, -1));
  const __m256i blues = _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 5, 8, 11, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
  const __m256i zero = _mm256_setzero_si256();
  __m256i first = zero;
  __m256i second = zero;
  // Each half is loaded with four bytes of the pixels after it.
  for (; index + 10 <= count; index += 8) {
    const uint8_t* at = pixels + 3 * index;
    const __m256i eight = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))),
                                                  _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 12)), 1);
    first = _mm256_add_epi64(first, _mm256_sad_epu8(_mm256_shuffle_epi8(eight, redsGreens), zero));
    second = _mm256_add_epi64(second, _mm256_sad_epu8(_mm256_shuffle_epi8(eight, blues), zero));
  }
  uint64_t lanes[8];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), first);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes + 4), second);
  sums[0] += lanes[0] + lanes[2];
  sums[1] += lanes[1] + lanes[3];
  sums[2] += lanes[4] + lanes[6];
#endif
  for (; index < count; index++) {
    for (int channel = 0; channel < 3; channel++) sums[channel] += pixels[3 * index + channel];
  }
}

void mapColours(uint8_t* pixels, int64_t count, const ColourMap& map) {
  int64_t index = 0;
#if defined(__AVX2__)
  const __m256i redGreen = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1));
  const __m256i blueOnly = _mm256_broadcastsi128_si256(_mm_setr_epi8(2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1));
  // r0–3 g0–3 b0–3 becomes pixels.
  const __m256i interleave = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, -1, -1, -1, -1));
  __m256i fromRedGreen[3];
  __m256i fromBlue[3];
  __m256i offsets[3];
  for (int row = 0; row < 3; row++) {
    const auto* factors = map.factors[row];
    fromRedGreen[row] = _mm256_set1_epi32(static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint16_t>(factors[0])) | static_cast<uint32_t>(static_cast<uint16_t>(factors[1])) << 16));
    fromBlue[row] = _mm256_set1_epi32(static_cast<uint16_t>(factors[2]));
    offsets[row] = _mm256_set1_epi32(map.offsets[row]);
  }
  for (; index + 10 <= count; index += 8) {
    uint8_t* at = pixels + 3 * index;
    const __m256i eight = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))),
                                                  _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 12)), 1);
    const __m256i redsGreens = _mm256_shuffle_epi8(eight, redGreen);
    const __m256i blues = _mm256_shuffle_epi8(eight, blueOnly);
    const auto channel = [&](int row) {
      const __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(redsGreens, fromRedGreen[row]), _mm256_madd_epi16(blues, fromBlue[row]));
      return _mm256_srai_epi32(_mm256_add_epi32(sum, offsets[row]), 12);
    };
    const __m256i words = _mm256_packs_epi32(channel(0), channel(1));
    const __m256i rest = channel(2);
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_packus_epi16(words, _mm256_packs_epi32(rest, rest)), interleave);
    const __m128i low = _mm256_castsi256_si128(bytes);
    const __m128i high = _mm256_extracti128_si256(bytes, 1);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(at), low);
    *reinterpret_cast<int32_t*>(at + 8) = _mm_extract_epi32(low, 2);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(at + 12), high);
    *reinterpret_cast<int32_t*>(at + 20) = _mm_extract_epi32(high, 2);
  }
#endif
  for (; index < count; index++) {
    uint8_t* pixel = pixels + 3 * index;
    const int32_t red = pixel[0];
    const int32_t green = pixel[1];
    const int32_t blue = pixel[2];
    for (int row = 0; row < 3; row++) {
      const auto* factors = map.factors[row];
      pixel[row] = toByte((factors[0] * red + factors[1] * green + factors[2] * blue + map.offsets[row]) >> 12);
    }
  }
}

void addWeighted(const uint8_t* values, int64_t count, int32_t weight, int32_t* __restrict sums) {
  for (int64_t index = 0; index < count; index++) sums[index] += values[index] * weight;
}

void toBytes(const int32_t* sums, int64_t count, uint8_t* __restrict bytes) {
  for (int64_t index = 0; index < count; index++) bytes[index] = toByte(sums[index] >> 22);
}

}  // namespace

#define TEXT_OF(name) #name
#define NAME_OF(name) TEXT_OF(name)

extern const Kernels KERNELS;
const Kernels KERNELS = {NAME_OF(KERNELS), blendRows, blendColumns, sumChannels, mapColours, addWeighted, toBytes};

}  // namespace inception::images
