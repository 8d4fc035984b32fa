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

// libtorch 2.4 to 2.14 needs the generators of a graph registered; newer versions notice at the first use.
template <typename Generator>
auto registerGenerator(Generator* generator, at::cuda::CUDAGraph& graph, int) -> decltype(generator->register_graph(&graph), void()) {
  generator->register_graph(&graph);
}
template <typename Generator>
void registerGenerator(Generator*, at::cuda::CUDAGraph&, long) {}

class Captured : public CudaGraph {
 public:
  Captured(at::Generator generator, const std::function<void()>& work) {
    // The default stream cannot be captured.
    const auto stream = c10::cuda::getStreamFromPool();
    stream.synchronize();
    const c10::cuda::CUDAStreamGuard guard(stream);
    registerGenerator(generator.get<at::CUDAGeneratorImpl>(), graph_, 0);
    graph_.capture_begin();
    try {
      work();
    } catch (...) {
      // An open capture would make every later call fail.
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
  TORCH_CHECK(false, "the addon was built without CUDA graphs");
}

void CudaGraph::warmUp(at::Device, const std::function<void()>&) { TORCH_CHECK(false, "the addon was built without CUDA graphs"); }

#endif

}  // namespace inception
