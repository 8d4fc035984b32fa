#include "kernels.h"

namespace inception::kernels {

extern const Kernels portable;
#if defined(INCEPTION_X86_KERNELS)
extern const Kernels avx2;
extern const Kernels avx512;
#endif

const Kernels& chooseKernels() {
#if defined(INCEPTION_X86_KERNELS)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    return avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2;
#endif
  return portable;
}

}  // namespace inception::kernels
