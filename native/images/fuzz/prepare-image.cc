// Prepares images from mutated JPEGs: prepare-image SECONDS SEED FILE… (scripts/fuzz-images.mjs builds and runs it with gcc's sanitizers; as
// LLVMFuzzerTestOneInput it serves libFuzzer and AFL++ too).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "../prepare-image.h"

using namespace inception::images;

namespace {

uint64_t taken = 0;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  static Scratch scratch;
  static std::vector<uint8_t> target;
  // Exactly as long as it is said to be, so that reading behind its end is seen.
  const std::vector<uint8_t> bytes(data, data + length);
  Source source;
  source.bytes = bytes.data();
  source.byteCount = bytes.size();
  std::mt19937 random(static_cast<uint32_t>(length * 2654435761u + (length > 40 ? data[length / 2] : 0)));
  const auto uniform = [&](double low, double high) { return low + (high - low) * (random() / 4294967296.0); };
  DistortionRecord record{};
  record.flip = random() % 2;
  record.verticalFlip = random() % 2;
  record.cropCount = random() % 4 == 0 ? 0 : DistortionRecord::maxCrops;
  for (auto& crop : record.crops) crop = {uniform(0.01, 1), uniform(0.5, 2), uniform(0, 1), uniform(0, 1)};
  if (random() % 4 == 0) {
    record.down = uniform(-90, 90);
    record.right = uniform(-90, 90);
  }
  record.hasColour = random() % 2;
  for (auto& factor : record.map) factor = uniform(-1.5, 2);
  record.brightness = uniform(-32, 32);
  record.contrast = uniform(0.5, 1.5);
  const Size size{1 + static_cast<int>(random() % 70), 1 + static_cast<int>(random() % 70)};
  record.hasErase = random() % 2;
  record.eraseTop = random() % 30;
  record.eraseLeft = random() % 30;
  record.eraseHeight = random() % 70;
  record.eraseWidth = random() % 70;
  target.assign(static_cast<size_t>(size.height) * static_cast<size_t>(size.width) * 3, 0);
  target.shrink_to_fit();
  taken += prepareImage(source, record, size, scratch, target.data()) ? 1 : 0;
  scratch.trim();
  return 0;
}

#if !defined(INCEPTION_LIBFUZZER)
namespace {

std::vector<uint8_t> mutated(const std::vector<std::vector<uint8_t>>& seeds, std::mt19937& random) {
  auto bytes = seeds[random() % seeds.size()];
  const auto at = [&] { return bytes.empty() ? size_t{0} : random() % bytes.size(); };
  // Headers are a small part of a file, and the interesting one.
  const auto early = [&] { return bytes.empty() ? size_t{0} : random() % std::min<size_t>(bytes.size(), 700); };
  for (int changes = 1 + static_cast<int>(random() % 6); changes > 0; changes--) {
    if (bytes.empty()) break;
    switch (random() % 8) {
      case 0: bytes[at()] ^= static_cast<uint8_t>(1u << (random() % 8)); break;
      case 1: bytes[early()] = static_cast<uint8_t>(random()); break;
      case 2: bytes[early()] ^= static_cast<uint8_t>(1u << (random() % 8)); break;
      case 3: bytes[at()] = random() % 2 ? 0xff : 0; break;
      case 4: bytes.resize(at()); break;
      case 5: {
        const auto& other = seeds[random() % seeds.size()];
        const size_t from = random() % other.size();
        const size_t count = std::min<size_t>(other.size() - from, random() % 400);
        bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(at()), other.begin() + static_cast<ptrdiff_t>(from), other.begin() + static_cast<ptrdiff_t>(from + count));
        break;
      }
      case 6: {
        const size_t from = at();
        bytes.erase(bytes.begin() + static_cast<ptrdiff_t>(from), bytes.begin() + static_cast<ptrdiff_t>(std::min(bytes.size(), from + random() % 100)));
        break;
      }
      default: {
        // A marker somewhere.
        const size_t place = early();
        bytes[place] = 0xff;
        if (place + 1 < bytes.size()) bytes[place + 1] = static_cast<uint8_t>(0xc0 + random() % 64);
      }
    }
  }
  // Without its end a file is read as a whole: both ways are of interest.
  if (random() % 2 == 0) bytes.insert(bytes.end(), {0xff, 0xd9});
  return bytes;
}

}  // namespace

int main(int count, char** words) {
  if (count < 4) {
    std::fprintf(stderr, "prepare-image SECONDS SEED FILE…\n");
    return 2;
  }
  std::vector<std::vector<uint8_t>> seeds;
  for (int word = 3; word < count; word++) {
    std::ifstream file(words[word], std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    if (seeds.back().empty()) seeds.pop_back();
  }
  std::mt19937 random(static_cast<uint32_t>(std::strtoul(words[2], nullptr, 10)));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::strtol(words[1], nullptr, 10));
  uint64_t runs = 0;
  double slowest = 0;
  while (std::chrono::steady_clock::now() < end) {
    const auto bytes = mutated(seeds, random);
    const auto begin = std::chrono::steady_clock::now();
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (seconds > slowest) {
      slowest = seconds;
      std::ofstream("slowest.jpg", std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
    runs++;
  }
  std::printf("%llu files, %llu of them decoded, the slowest in %.0f ms\n", static_cast<unsigned long long>(runs), static_cast<unsigned long long>(taken), slowest * 1000);
}
#endif
