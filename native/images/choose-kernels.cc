#include <atomic>
#include <stdexcept>

#include "kernels.h"

namespace inception::images {

extern const Kernels portable;
#if defined(INCEPTION_X86_KERNELS)
extern const Kernels avx2;
#endif

namespace {

std::vector<const Kernels*> available() {
  std::vector<const Kernels*> kernels{&portable};
#if defined(INCEPTION_X86_KERNELS)
  if (__builtin_cpu_supports("avx2")) kernels.push_back(&avx2);
#endif
  return kernels;
}

std::atomic<const Kernels*>& current() {
  static std::atomic<const Kernels*> kernels(available().back());
  return kernels;
}

}  // namespace

const Kernels& chooseKernels() { return *current(); }

std::vector<std::string> kernelNames() {
  std::vector<std::string> names;
  for (const auto* kernels : available()) names.push_back(kernels->instructionSet);
  return names;
}

void useKernels(const std::string& name) {
  for (const auto* kernels : available()) {
    if (name != kernels->instructionSet) continue;
    current() = kernels;
    return;
  }
  throw std::invalid_argument("this processor does not support the instruction set '" + name + "'");
}

}  // namespace inception::images
