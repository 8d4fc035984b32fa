#include "jpeg-decoder.h"

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>

#include <algorithm>

#include "exif-orientation.h"

namespace inception::images {

namespace {

// Interpolation of colours looks at neighbours, and begins anew where decoding begins: that many rows and columns more are decoded, so
// that the wanted ones have the values that they have in the whole image.
constexpr int marginRows = 4;
constexpr int marginColumns = 4;

// libjpeg's two ways out. Warnings end the decoding too: they mean that data is damaged or missing.
struct Errors {
  jpeg_error_mgr manager;
  std::jmp_buf escape;
};

[[noreturn]] void leave(j_common_ptr info) { std::longjmp(reinterpret_cast<Errors*>(info->err)->escape, 1); }

void onMessage(j_common_ptr info, int level) {
  if (level < 0) leave(info);
}

void onOutput(j_common_ptr) {}

void onProgress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > maxScans) leave(info);
}

constexpr int exifMarker = JPEG_APP0 + 1;
constexpr int profileMarker = JPEG_APP0 + 2;

}  // namespace

struct JpegDecoder::State {
  Errors errors{};
  jpeg_progress_mgr progress{};
  jpeg_decompress_struct info{};
  bool endsProperly = false;
  int orientation = 1;

  bool isTransposed() const { return orientation >= 5; }
  bool readHeader();
  bool start(Part& stored);
  bool readRows(Part stored, uint8_t* rows, size_t rowBytes, uint8_t* spareRow);
};

namespace {

// Where a part of the upright image lies in the file's own orientation.
Part toStored(Part part, Size stored, int orientation) {
  const bool transposed = orientation >= 5;
  const int height = transposed ? part.width : part.height;
  const int width = transposed ? part.height : part.width;
  const int top = transposed ? part.left : part.top;
  const int left = transposed ? part.top : part.left;
  const bool fromBottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool fromRight = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  return {fromBottom ? stored.height - top - height : top, fromRight ? stored.width - left - width : left, height, width};
}

// Copies pixels of the file's orientation to their upright places.
void turn(const uint8_t* stored, ptrdiff_t rowBytes, Size upright, int orientation, uint8_t* target) {
  const bool transposed = orientation >= 5;
  const int rows = transposed ? upright.width : upright.height;
  const int columns = transposed ? upright.height : upright.width;
  const bool fromBottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool fromRight = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  for (int y = 0; y < upright.height; y++) {
    for (int x = 0; x < upright.width; x++, target += 3) {
      const int row = transposed ? x : y;
      const int column = transposed ? y : x;
      std::memcpy(target, stored + (fromBottom ? rows - 1 - row : row) * rowBytes + static_cast<ptrdiff_t>(fromRight ? columns - 1 - column : column) * 3, 3);
    }
  }
}

}  // namespace

// Between setjmp and a longjmp to it no object with a destructor may come to life: these functions have none.

bool JpegDecoder::State::readHeader() {
  if (setjmp(errors.escape)) return false;
  jpeg_save_markers(&info, exifMarker, 0xffff);
  // Its beginning is enough to know that there is one.
  jpeg_save_markers(&info, profileMarker, 16);
  if (jpeg_read_header(&info, TRUE) != JPEG_HEADER_OK) return false;
  return true;
}

// Widens the columns to those that can be decoded alone.
bool JpegDecoder::State::start(Part& stored) {
  if (setjmp(errors.escape)) return false;
  info.out_color_space = JCS_RGB;
  if (!jpeg_start_decompress(&info)) return false;
  const int width = static_cast<int>(info.output_width);
  const int left = std::max(0, stored.left - marginColumns);
  const int right = std::min(width, stored.left + stored.width + marginColumns);
  JDIMENSION offset = static_cast<JDIMENSION>(left);
  JDIMENSION count = static_cast<JDIMENSION>(right - left);
  if (left > 0 || right < width) jpeg_crop_scanline(&info, &offset, &count);
  stored.left = static_cast<int>(offset);
  stored.width = static_cast<int>(count);
  return true;
}

bool JpegDecoder::State::readRows(Part stored, uint8_t* rows, size_t rowBytes, uint8_t* spareRow) {
  if (setjmp(errors.escape)) return false;
  const int skipped = std::max(0, stored.top - marginRows);
  if (skipped > 0 && jpeg_skip_scanlines(&info, static_cast<JDIMENSION>(skipped)) != static_cast<JDIMENSION>(skipped)) return false;
  const auto end = static_cast<JDIMENSION>(stored.top + stored.height);
  while (info.output_scanline < end) {
    const int row = static_cast<int>(info.output_scanline) - stored.top;
    JSAMPROW target = row < 0 ? spareRow : rows + static_cast<size_t>(row) * rowBytes;
    if (jpeg_read_scanlines(&info, &target, 1) != 1) return false;
  }
  if (!endsProperly) {
    // Whether anything is missing shows at the end only. Rows that are skipped up to the end are not read.
    while (info.output_scanline < info.output_height) {
      if (jpeg_read_scanlines(&info, &spareRow, 1) != 1) return false;
    }
    jpeg_finish_decompress(&info);
  }
  return true;
}

JpegDecoder::JpegDecoder(const uint8_t* bytes, size_t length) : state_(std::make_unique<State>()) {
  auto& info = state_->info;
  info.err = jpeg_std_error(&state_->errors.manager);
  state_->errors.manager.error_exit = leave;
  state_->errors.manager.emit_message = onMessage;
  state_->errors.manager.output_message = onOutput;
  if (setjmp(state_->errors.escape)) return;
  jpeg_create_decompress(&info);
  state_->progress.progress_monitor = onProgress;
  info.progress = &state_->progress;
  jpeg_mem_src(&info, bytes, static_cast<unsigned long>(length));
  // A thumbnail in the middle ends likewise: only the end of the file counts.
  state_->endsProperly = length >= 2 && bytes[length - 2] == 0xff && bytes[length - 1] == JPEG_EOI;
}

JpegDecoder::~JpegDecoder() { jpeg_destroy_decompress(&state_->info); }

bool JpegDecoder::readHeader() {
  auto& state = *state_;
  if (state.info.src == nullptr || !state.readHeader()) return false;
  const auto& info = state.info;
  const bool isPlain = info.data_precision == 8 && ((info.num_components == 1 && info.jpeg_color_space == JCS_GRAYSCALE) ||
                                                    (info.num_components == 3 && (info.jpeg_color_space == JCS_YCbCr || info.jpeg_color_space == JCS_RGB)));
  const auto width = static_cast<int64_t>(info.image_width);
  const auto height = static_cast<int64_t>(info.image_height);
  if (!isPlain || width * height > maxPixels || std::max(width, height) > maxSide) return false;
  for (auto* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->marker == profileMarker && marker->data_length >= 12 && std::memcmp(marker->data, "ICC_PROFILE", 12) == 0) return false;
    if (marker->marker == exifMarker && state.orientation == 1) state.orientation = exifOrientation(marker->data, marker->data_length);
  }
  return true;
}

Size JpegDecoder::size() const {
  const auto height = static_cast<int>(state_->info.image_height);
  const auto width = static_cast<int>(state_->info.image_width);
  return state_->isTransposed() ? Size{width, height} : Size{height, width};
}

bool JpegDecoder::decode(Part wanted, std::vector<uint8_t>& memory, Pixels& pixels) {
  auto& state = *state_;
  const Size storedSize{static_cast<int>(state.info.image_height), static_cast<int>(state.info.image_width)};
  const Part inner = toStored(wanted, storedSize, state.orientation);
  Part stored = inner;
  if (!state.start(stored)) return false;
  const size_t rowBytes = static_cast<size_t>(stored.width) * 3;
  const size_t storedBytes = rowBytes * static_cast<size_t>(stored.height);
  const bool isUpright = state.orientation == 1;
  const size_t uprightBytes = isUpright ? 0 : static_cast<size_t>(wanted.height) * static_cast<size_t>(wanted.width) * 3;
  // Whoever reads vectors reads a little behind the end.
  memory.resize(storedBytes + uprightBytes + rowBytes + 64);
  uint8_t* rows = memory.data() + uprightBytes;
  if (!state.readRows(stored, rows, rowBytes, rows + storedBytes)) return false;
  if (isUpright) {
    pixels = {memory.data(), static_cast<ptrdiff_t>(rowBytes), stored};
    return true;
  }
  const uint8_t* corner = rows + static_cast<size_t>(inner.left - stored.left) * 3;
  turn(corner, static_cast<ptrdiff_t>(rowBytes), {wanted.height, wanted.width}, state.orientation, memory.data());
  pixels = {memory.data(), static_cast<ptrdiff_t>(wanted.width) * 3, wanted};
  return true;
}

}  // namespace inception::images
