// A job: work for the engine's thread. The JavaScript call that starts it gets a promise for the result.
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
  int pending = 0;  // unsettled jobs; used on the main thread only
  std::unique_ptr<EngineThread> thread;
};

// Creates a job's JavaScript result; runs on the main thread.
using Finish = std::function<Napi::Value(Napi::Env)>;
// Runs on the engine's thread, where JavaScript values must not be touched.
using Work = std::function<Finish()>;

// The result of a job that returns nothing.
Finish nothing();

// Queues work after that of earlier calls and returns its promise, which rejects with what `work` throws. `keptAlive` holds
// the JavaScript objects whose memory the work reads.
Napi::Value submit(Napi::Env env, const std::shared_ptr<Engine>& engine, Work work, std::vector<Napi::ObjectReference> keptAlive = {});

// Runs `task` after the queued jobs, or immediately if there are none.
void runAfterJobs(const std::shared_ptr<Engine>& engine, std::function<void()> task);

// Resolves after all earlier jobs; stops the thread and releases the handle that wakes the main thread. No job may follow.
Napi::Value closeEngine(Napi::Env env, const std::shared_ptr<Engine>& engine);

}  // namespace inception
