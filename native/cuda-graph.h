// A program's run as one CUDA graph. Without CUDA headers at build time there is none, and programs run step by step.
#pragma once
#include <ATen/core/Generator.h>
#include <c10/core/Device.h>

#include <functional>
#include <memory>

namespace inception {

class CudaGraph {
 public:
  virtual ~CudaGraph() = default;
  virtual void replay() = 0;

  static bool isAvailable(at::Device device);
  // Runs `work` on a stream of its own without computing anything, and remembers the kernels. `work` must touch no memory of
  // the CPU. Throws c10::Error where something in it cannot be captured.
  static std::unique_ptr<CudaGraph> capture(at::Device device, at::Generator generator, const std::function<void()>& work);
  // Runs `work` on that same kind of stream, and waits: libraries make their plans and workspaces in such a run.
  static void warmUp(at::Device device, const std::function<void()>& work);
};

}  // namespace inception
