#include "cuda-graph.h"

#include <c10/util/Exception.h>

#ifdef INCEPTION_CUDA
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace inception {

#ifdef INCEPTION_CUDA

namespace {

// libtorch 2.4 to 2.14 wants to be told which generators a graph uses; newer ones find out at the first use.
template <typename Generator>
auto announce(Generator* generator, at::cuda::CUDAGraph& graph, int) -> decltype(generator->register_graph(&graph), void()) {
  generator->register_graph(&graph);
}
template <typename Generator>
void announce(Generator*, at::cuda::CUDAGraph&, long) {}

class Captured : public CudaGraph {
 public:
  Captured(at::Generator generator, const std::function<void()>& work) {
    // The default stream cannot be captured.
    const auto stream = c10::cuda::getStreamFromPool();
    stream.synchronize();
    const c10::cuda::CUDAStreamGuard guard(stream);
    announce(generator.get<at::CUDAGeneratorImpl>(), graph_, 0);
    graph_.capture_begin();
    try {
      work();
    } catch (...) {
      // A capture that is left open would spoil every later call.
      try {
        graph_.capture_end();
      } catch (const std::exception&) {
      }
      throw;
    }
    graph_.capture_end();
  }

  void replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

}  // namespace

bool CudaGraph::isAvailable(at::Device device) { return device.is_cuda(); }

std::unique_ptr<CudaGraph> CudaGraph::capture(at::Device device, at::Generator generator, const std::function<void()>& work) {
  const c10::cuda::CUDAGuard guard(device);
  c10::cuda::device_synchronize();
  return std::make_unique<Captured>(std::move(generator), work);
}

void CudaGraph::warmUp(at::Device device, const std::function<void()>& work) {
  const c10::cuda::CUDAGuard guard(device);
  const auto stream = c10::cuda::getStreamFromPool();
  c10::cuda::device_synchronize();
  {
    const c10::cuda::CUDAStreamGuard streamGuard(stream);
    work();
  }
  stream.synchronize();
}

#else

bool CudaGraph::isAvailable(at::Device) { return false; }

std::unique_ptr<CudaGraph> CudaGraph::capture(at::Device, at::Generator, const std::function<void()>&) {
  TORCH_CHECK(false, "this build has no CUDA graphs");
}

void CudaGraph::warmUp(at::Device, const std::function<void()>&) { TORCH_CHECK(false, "this build has no CUDA graphs"); }

#endif

}  // namespace inception
