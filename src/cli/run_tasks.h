// Runs the tasks of a queue, for a cluster and for a tasks file alike.
#pragma once

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/worker_metrics.h"
#include "cli/commands.h"
#include "cli/google_cloud.h"
#include "executor/content_cache.h"
#include "executor/crash_cleanup.h"
#include "monitor/log_publisher.h"
#include "process/gpu_sampler.h"
#include "process/posix_process_runner.h"
#include "queue/queue.h"
#include "slots/slot_link.h"
#include "storage/object_store.h"
#include "worker/consumer.h"
#include "worker/timed_hand_back.h"
#include "worker/worker_stop.h"

namespace sparkles {

// The parts of a worker that do not depend on the kind of its queue. All are borrowed.
struct WorkerParts {
  const ConsumeOptions& options;
  PosixProcessRunner& runner;
  GpuSampler* gpus;  // null if the machine has no nvidia-smi
  GoogleCloud& cloud;
  ObjectStore& store;
  ContentCache& cache;
  WorkerStop& stop;
  CrashCleanup& crash_cleanup;
  Clock& clock;
  WorkerMetrics& metrics;
  const Log& log;
  // Null unless this process is one slot of several.
  SlotLink* slot = nullptr;
};

// A queue, and the parts that depend on its kind. All are borrowed.
struct TaskSource {
  Queue& queue;
  // Null if a claim ends with its worker.
  TimedHandBack* hand_back = nullptr;
  // Null if the worker has no Monitor.
  LogPublisher* monitor = nullptr;
  // RunTasks sets the fields that do not depend on the kind of the queue.
  ConsumerOptions consumer = {};
  std::string machine_type = "";
  // Called before each task.
  std::function<void()> before_task = [] {};
};

// Claims and runs tasks until none is left or the worker must end. Returns the exit code. Throws
// std::system_error if the system refuses the watchdog's thread.
int RunTasks(const WorkerParts& worker, const TaskSource& source);

// How long the worker may be without a sign of life.
absl::Duration WatchdogPeriod(const ConsumeOptions& options);

}  // namespace sparkles
