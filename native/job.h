// A job: work for the engine's thread. The JavaScript call that starts it gets a promise for the result.
#pragma once
#include <napi.h>

#include <ATen/core/Tensor.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine-thread.h"
#include "group.h"

namespace inception {

// Creates a job's JavaScript result; runs on the main thread.
using Finish = std::function<Napi::Value(Napi::Env)>;
// Runs on the engine's thread, where JavaScript values must not be touched.
using Work = std::function<Finish()>;

struct Engine;

struct Job {
  Napi::Promise::Deferred deferred;
  // JavaScript objects whose memory the work reads.
  std::vector<Napi::ObjectReference> keptAlive;
  std::shared_ptr<Engine> engine;
  Finish finish;
  std::string error;
  std::chrono::steady_clock::time_point finishedAt{};
};

// Settles the first job of `finished`, on the main thread.
void settleFinished(Napi::Env env, Napi::Function, Engine* engine, void*);

// An engine's thread, and its way back to JavaScript. Destroyed on the thread of its JavaScript environment (the main thread
// or a worker), because every job holds it until it is settled there.
struct Engine {
  using Wake = Napi::TypedThreadSafeFunction<Engine, void, settleFinished>;

  Engine(Napi::Env env, at::Device device, int threads);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // After the last job.
  void close();
  // At the end of the environment: ends the running job at its next step and drops the others. Their promises never settle.
  void stop();

  at::Device device;
  int pending = 0;    // unsettled jobs; used on the main thread only
  double lateMs = 0;  // how long the job settled last had been finished; used on the main thread only
  std::mutex mutex;
  std::deque<std::shared_ptr<Job>> finished;  // guarded by `mutex`
  std::unique_ptr<EngineThread> thread;       // null once closed or stopped
  Wake wake;
  // Both are used on the main thread only; operators find the group by a pointer of the engine's thread.
  std::shared_ptr<Group> group;          // null until joined
  std::unique_ptr<StoreServer> served;

 private:
  void leaveGroup();

  napi_env env_;
};

// The result of a job that returns nothing.
Finish nothing();

// Before the first engine of an environment: sees to it that engines are stopped when its process exits.
void prepareEngines(Napi::Env env);

// Queues work after that of earlier calls and returns its promise, which rejects with what `work` throws.
Napi::Value submit(Napi::Env env, const std::shared_ptr<Engine>& engine, Work work, std::vector<Napi::ObjectReference> keptAlive = {});

// Runs `task` after the queued jobs, or immediately if there are none.
void runAfterJobs(const std::shared_ptr<Engine>& engine, std::function<void()> task);

// Resolves after all earlier jobs; stops the thread and releases the handle that wakes the main thread. No job may follow.
Napi::Value closeEngine(Napi::Env env, const std::shared_ptr<Engine>& engine);

}  // namespace inception
