// A program's run as one CUDA graph. Built without CUDA headers, graphs are not available and programs run step by step.
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
  // Records the kernels that `work` launches, on a separate stream, without running them. `work` must not touch CPU memory.
  // Throws c10::Error if something in it cannot be captured.
  static std::unique_ptr<CudaGraph> capture(at::Device device, at::Generator generator, const std::function<void()>& work);
  // Runs `work` on such a stream and waits, so that libraries create their plans and workspaces.
  static void warmUp(at::Device device, const std::function<void()>& work);
};

}  // namespace inception
