// A job: work for the engine's thread, started by a call from JavaScript that gets a promise for its result.
#pragma once
#include <napi.h>

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "engine-thread.h"

namespace inception {

struct Engine {
  Engine(at::Device device, int threads, Napi::ThreadSafeFunction toMain)
      : device(device), toMain(toMain), thread(std::make_unique<EngineThread>(threads)) {}

  at::Device device;
  Napi::ThreadSafeFunction toMain;
  int pending = 0;  // jobs that are not settled; touched by the main thread only
  std::unique_ptr<EngineThread> thread;
};

// Makes a job's result in JavaScript; runs on the main thread.
using Finish = std::function<Napi::Value(Napi::Env)>;
// Computes on the engine's thread, where no JavaScript value may be touched.
using Work = std::function<Finish()>;

// The result of a job that has none.
Finish nothing();

// Queues work behind that of earlier calls. Gives the promise; what `work` throws rejects it. `keptAlive` are the JavaScript
// objects whose memory the work reads.
Napi::Value submit(Napi::Env env, const std::shared_ptr<Engine>& engine, Work work, std::vector<Napi::ObjectReference> keptAlive = {});

// Runs `task` after the jobs that are queued, or at once if there are none.
void runAfterJobs(const std::shared_ptr<Engine>& engine, std::function<void()> task);

// Settles when every earlier job has, ends the thread and releases what wakes the main thread. No job may follow.
Napi::Value closeEngine(Napi::Env env, const std::shared_ptr<Engine>& engine);

}  // namespace inception
