// Resolves a program's operators once and runs its steps.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cuda-graph.h"
#include "program.h"
#include "store.h"

namespace inception {

// What a run gives: outputs in the program's order, on the CPU and contiguous; microseconds of each step if asked for.
struct RunResult {
  std::vector<std::pair<std::string, at::Tensor>> outputs;
  std::vector<double> stepMicroseconds;
};

class LoadedProgram {
 public:
  // Throws std::invalid_argument naming the step, the operator and what it expects.
  LoadedProgram(Program program, std::shared_ptr<Store> store);

  // `inputs` in the order of the program's inputs, on the CPU. Throws std::runtime_error naming step, layer and shapes.
  RunResult run(std::vector<at::Tensor> inputs, bool profile);

  const Program& program() const { return program_; }

 private:
  struct Call {
    c10::OperatorHandle handle;
    torch::jit::Stack arguments;  // constants in place; slots are filled in for each run
    std::vector<std::pair<size_t, std::vector<int>>> slots;  // argument position -> slots
    std::vector<bool> isList;
  };

  Call resolve(const Step& step) const;
  c10::IValue convert(const Argument& argument, const c10::TypePtr& type) const;
  void runCall(Call& call, const Step& step);
  // Every step in order. `number` is the one that runs, for errors.
  void runSteps(std::vector<at::Tensor> inputs, bool profile, RunResult& result, size_t& number);
  RunResult runGraph(const std::vector<at::Tensor>& inputs, size_t& number);

  Program program_;
  std::shared_ptr<Store> store_;
  std::vector<std::unique_ptr<Call>> calls_;  // one for each step, null where the step is no call
  std::vector<at::Tensor> slots_;
  std::vector<at::Tensor> stored_;  // one for each step, defined where the step loads one of the store's own tensors

  // On CUDA: the graph, and the tensors of the device that it reads and writes.
  int warmUps_ = 0;
  std::unique_ptr<CudaGraph> graph_;
  std::vector<at::Tensor> graphInputs_;
  std::vector<std::pair<std::string, at::Tensor>> graphOutputs_;
};

}  // namespace inception
