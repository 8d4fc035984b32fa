#include "job.h"

#include <c10/util/Exception.h>

#include <new>
#include <set>
#include <utility>

namespace inception {

namespace {

using OpenEngines = std::set<Engine*>;

OpenEngines& openEngines(napi_env env) { return *Napi::Env(env).GetInstanceData<OpenEngines>(); }

// libtorch's statics, which are destroyed after this, must not be used by a thread any more.
void stopAtExit(void* engine) { static_cast<Engine*>(engine)->stop(); }

// In a worker that is being terminated nobody waits, and every call into JavaScript throws.
void settle(Napi::Env env, Job& job) {
  try {
    if (job.error.empty()) {
      try {
        job.deferred.Resolve(job.finish(env));
        return;
      } catch (const std::exception& error) {
        job.error = error.what();
      }
    }
    job.deferred.Reject(Napi::Error::New(env, job.error).Value());
  } catch (...) {
  }
}

}  // namespace

Engine::Engine(Napi::Env env, at::Device device, int threads)
    : device(device),
      thread(std::make_unique<EngineThread>(threads)),
      wake(Wake::New(env, "inception engine", 0, 1, this)),
      env_(env) {
  wake.Unref(env);
  // Hooks run in reverse order: this one before that of `wake`, which the thread calls.
  napi_add_env_cleanup_hook(env_, stopAtExit, this);
  openEngines(env_).insert(this);
}

Engine::~Engine() { close(); }

void Engine::leaveGroup() {
  if (group) group->close();
  group.reset();
  served.reset();
}

void Engine::close() {
  if (!thread) return;
  thread.reset();
  leaveGroup();
  openEngines(env_).erase(this);
  napi_remove_env_cleanup_hook(env_, stopAtExit, this);
  wake.Abort();
}

void Engine::stop() {
  if (!thread) return;
  // Or the thread would wait for other processes.
  if (group) group->abort("the engine was stopped");
  thread->stop();
  thread.reset();
  leaveGroup();
  openEngines(env_).erase(this);
  finished.clear();
}

void prepareEngines(Napi::Env env) {
  env.SetInstanceData(new OpenEngines());
  // process.exit() runs no cleanup hooks.
  const auto stopAll = [](const Napi::CallbackInfo& info) {
    auto& open = openEngines(info.Env());
    while (!open.empty()) (*open.begin())->stop();
  };
  const auto process = env.Global().Get("process").As<Napi::Object>();
  process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), Napi::Function::New(env, stopAll)});
}

void settleFinished(Napi::Env env, Napi::Function, Engine* engine, void*) {
  // Called without an environment for wake-ups that were left when the engine was closed and may be gone.
  if (static_cast<napi_env>(env) == nullptr) return;
  std::shared_ptr<Job> job;
  {
    const std::lock_guard<std::mutex> guard(engine->mutex);
    if (engine->finished.empty()) return;
    job = std::move(engine->finished.front());
    engine->finished.pop_front();
  }
  // One for each wake-up: what JavaScript does after one promise comes before the next, and so before that of `close`.
  if (--engine->pending == 0) engine->wake.Unref(env);
  engine->lateMs = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - job->finishedAt).count();
  settle(env, *job);
}

Finish nothing() {
  return [](Napi::Env env) { return env.Undefined(); };
}

Napi::Value submit(Napi::Env env, const std::shared_ptr<Engine>& engine, Work work, std::vector<Napi::ObjectReference> keptAlive) {
  auto job = std::make_shared<Job>(Job{Napi::Promise::Deferred::New(env), std::move(keptAlive), engine, {}, {}, {}});
  const auto promise = job->deferred.Promise();
  if (!engine->thread) {
    job->deferred.Reject(Napi::Error::New(env, "this engine has been closed").Value());
    return promise;
  }
  // Keep Node's event loop alive only while jobs are pending.
  if (engine->pending++ == 0) engine->wake.Ref(env);
  engine->thread->enqueue([job, work = std::move(work)]() mutable {
    try {
      job->finish = work();
    } catch (const Stopped&) {
      throw;
    } catch (const c10::Error& error) {
      job->error = error.what_without_backtrace();
    } catch (const std::bad_alloc&) {
      job->error = "out of memory";
    } catch (const std::exception& error) {
      job->error = error.what();
    } catch (...) {
      job->error = "an unknown error in libtorch";
    }
    work = nullptr;  // release its captures before JavaScript continues
    job->finishedAt = std::chrono::steady_clock::now();
    Engine& engine = *job->engine;
    {
      // Not kept here: a job is destroyed on the main thread.
      const std::lock_guard<std::mutex> guard(engine.mutex);
      engine.finished.push_back(std::move(job));
    }
    engine.wake.BlockingCall();
  });
  return promise;
}

void runAfterJobs(const std::shared_ptr<Engine>& engine, std::function<void()> task) {
  if (engine->pending == 0 || !engine->thread) {
    task();
  } else {
    engine->thread->enqueue(std::move(task));
  }
}

Napi::Value closeEngine(Napi::Env env, const std::shared_ptr<Engine>& engine) {
  return submit(env, engine, [engine]() -> Finish {
    return [engine](Napi::Env env) {
      engine->close();
      return env.Undefined();
    };
  });
}

}  // namespace inception
