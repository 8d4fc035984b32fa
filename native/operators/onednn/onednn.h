// Shared by the operators that call oneDNN directly: its engine, one stream per thread, memory that wraps a tensor.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstddef>
#include <dnnl.hpp>

namespace inception::onednn {

inline dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

inline dnnl::stream& stream() {
  thread_local dnnl::stream cpuStream(engine());
  return cpuStream;
}

inline dnnl::memory::data_type typeOf(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16,
              "expected float32 or bfloat16, received ", tensor.scalar_type());
  return tensor.scalar_type() == at::kFloat ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;
}

// Contiguous channels-last: the layout of all activations and weights in a program.
inline dnnl::memory::desc channelsLast(const dnnl::memory::dims& sizes, dnnl::memory::data_type type) {
  return {sizes, type, dnnl::memory::format_tag::acdb};
}

inline dnnl::memory::desc anyLayout(const dnnl::memory::dims& sizes, dnnl::memory::data_type type) {
  return {sizes, type, dnnl::memory::format_tag::any};
}

inline dnnl::memory wrap(const dnnl::memory::desc& description, const void* data) {
  return {description, engine(), const_cast<void*>(data)};
}

inline at::Tensor bytes(size_t count) {
  return at::empty({static_cast<int64_t>(count)}, at::TensorOptions().dtype(at::kByte));
}

// A reorder between two layouts; a no-op where they are equal.
class Reorder {
 public:
  Reorder() = default;
  Reorder(const dnnl::memory::desc& source, const dnnl::memory::desc& target) : source_(source), target_(target), needed_(source != target) {
    if (!needed_) return;
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::reorder::primitive_desc primitive(engine(), source, engine(), target, attributes);
    scratchpad_ = primitive.scratchpad_desc();
    run_ = dnnl::reorder(primitive);
  }

  bool needed() const { return needed_; }
  void run(const void* source, void* target) const {
    auto scratch = bytes(scratchpad_.get_size());
    run_.execute(stream(), {{DNNL_ARG_FROM, wrap(source_, source)},
                            {DNNL_ARG_TO, wrap(target_, target)},
                            {DNNL_ARG_SCRATCHPAD, wrap(scratchpad_, scratch.data_ptr())}});
  }

 private:
  dnnl::memory::desc source_, target_, scratchpad_;
  dnnl::primitive run_;
  bool needed_ = false;
};

}  // namespace inception::onednn
