// A packed weight is one byte tensor: the values in the layout that oneDNN chose, then the descriptor of that layout. Where
// oneDNN chooses the plain layout, it is the weight itself.
#pragma once
#include <cstring>

#include "../../dtypes.h"
#include "convolution-plan.h"

namespace inception::onednn {

using Layout = dnnl_memory_desc_t;

inline at::Tensor packWithLayout(const Plan& plan, const at::Tensor& weight) {
  const auto size = plan.weight.get_size();
  auto packed = bytes(size + sizeof(Layout));
  plan.pack.run(weight.data_ptr(), packed.data_ptr());
  std::memcpy(static_cast<char*>(packed.data_ptr()) + size, &plan.weight.data, sizeof(Layout));
  return packed;
}

// `operation`: the operator that packs, for the error.
inline memory::desc layoutOf(const at::Tensor& packed, const char* operation) {
  const int64_t size = packed.numel() - static_cast<int64_t>(sizeof(Layout));
  Layout layout{};
  if (packed.scalar_type() == at::kByte && packed.is_contiguous() && size > 0) {
    std::memcpy(&layout, static_cast<const char*>(packed.data_ptr()) + size, sizeof(Layout));
  }
  const memory::desc description(layout);
  TORCH_CHECK(layout.ndims == 4 && description.get_size() == static_cast<size_t>(size), "packed: expected the result of ", operation,
              ", received ", describe(packed));
  return description;
}

// A program with another batch size reads the same packed weights. If oneDNN wants another layout for it, they are repacked
// in every call; with the networks here this never happens.
inline at::Tensor repacked(const at::Tensor& packed, const memory::desc& layout, const memory::desc& target) {
  if (layout == target) return packed;
  auto result = bytes(target.get_size());
  Reorder(layout, target).run(packed.data_ptr(), result.data_ptr());
  return result;
}

}  // namespace inception::onednn
