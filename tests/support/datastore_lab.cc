#include "tests/support/datastore_lab.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "queue/task_entity.h"
#include "tests/support/emulator.h"

namespace sparkles {
namespace {

Json Entry(const std::string& status, double timestamp) {
  return EntityValue({{"timestamp", DoubleValue(timestamp)},
                      {"status", StringValue(status)},
                      {"owner", NullValue()},
                      {"failure_reason", NullValue()}});
}

}  // namespace

absl::StatusOr<HttpResponse> InterceptingTransport::Send(const HttpRequest& request) {
  const std::string method = request.url.substr(request.url.rfind(':') + 1);
  {
    MutexLock lock(mutex_);
    methods_.push_back(method);
  }
  return interceptor_ ? interceptor_(method, request) : PassOn(request);
}

std::vector<std::string> InterceptingTransport::methods() const {
  MutexLock lock(mutex_);
  return methods_;
}

DatastoreLab::DatastoreLab()
    : project_(FreshProject()),
      api_({EmulatorUrl(EmulatorAddress()), nullptr}, transport_, clock_),
      client_(api_, project_) {}

std::unique_ptr<DatastoreQueue> DatastoreLab::MakeQueue(const std::string& owner,
                                                        ClaimJournal* journal) {
  return std::make_unique<DatastoreQueue>(
      DatastoreQueueOptions{kCluster, owner, [] { return "10.0.0.1:6032"; }, project_}, client_,
      clock_, log_.log(), journal);
}

Json DatastoreLab::PendingTask(const Task& task) {
  Json index = IntegerValue(0);
  index["integerValue"] = task.index;
  const Json history = {
      {"arrayValue", {{"values", Json::array({Entry("pending", 1.795e9 + 0.25)})}}}};
  const Json properties = {{"task_index", index},
                           {"job_id", StringValue(task.job_id)},
                           {"cluster", StringValue(kCluster)},
                           {"args", StringValue(task.args)},
                           {"command_result_url", StringValue(task.command_result_url)},
                           {"log_url", StringValue(task.log_url)},
                           {"status", StringValue("pending")},
                           {"owner", NullValue()},
                           {"monitor_address", NullValue()},
                           {"failure_reason", NullValue()},
                           {"exit_code", NullValue()},
                           {"history", history},
                           {"version", IntegerValue(1)},
                           {"last_updated", DoubleValue(1.795e9)}};
  return {{"key", ToJson({kTaskKind, task.id})}, {"properties", properties}};
}

Json DatastoreLab::JobOf(const std::string& job_id, const std::string& status) {
  return {{"key", ToJson({kJobKind, job_id})},
          {"properties", {{"status", StringValue(status)}, {"cluster", StringValue(kCluster)}}}};
}

void DatastoreLab::CommitMutations(const Json& mutations) {
  HttpRequest request;
  request.method = "POST";
  request.url = absl::StrCat(api_.base_url(), "/v1/projects/", project_, ":commit");
  request.headers.Add("Content-Type", "application/json");
  request.body = DumpJson(Json({{"mode", "NON_TRANSACTIONAL"}, {"mutations", mutations}}));
  const auto response = transport_.PassOn(request);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->status, 200) << response->body;
}

void DatastoreLab::PutAll(const std::vector<Json>& entities) {
  Json mutations = Json::array();
  for (const Json& entity : entities) {
    Json mutation = Json::object();
    mutation["upsert"] = entity;
    mutations.push_back(std::move(mutation));
  }
  CommitMutations(mutations);
}

void DatastoreLab::Delete(const EntityKey& key) {
  Json mutation = Json::object();
  mutation["delete"] = ToJson(key);
  CommitMutations(Json::array({mutation}));
}

Json DatastoreLab::Properties(const std::string& task_id) {
  HttpRequest request;
  request.method = "POST";
  request.url = absl::StrCat(api_.base_url(), "/v1/projects/", project_, ":lookup");
  request.headers.Add("Content-Type", "application/json");
  Json body = Json::object();
  body["keys"] = Json::array({ToJson({kTaskKind, task_id})});
  request.body = DumpJson(body);
  const auto response = transport_.PassOn(request);
  EXPECT_TRUE(response.ok()) << response.status();
  if (!response.ok()) return nullptr;
  const Json found = Json::parse(response->body).value("found", Json::array());
  return found.empty() ? Json() : found[0]["entity"]["properties"];
}

void DatastoreLab::ResetProperties(Json& properties) {
  properties["owner"] = NullValue();
  properties["status"] = StringValue("pending");
  properties["version"] = IntegerValue(AsInteger(&properties["version"]).value_or(0) + 1);
  properties["history"]["arrayValue"]["values"].push_back(Entry("reset", 1.796e9));
}

void DatastoreLab::Reset(const std::string& task_id) {
  Json properties = Properties(task_id);
  ASSERT_TRUE(properties.is_object());
  ResetProperties(properties);
  Put({{"key", ToJson({kTaskKind, task_id})}, {"properties", properties}});
}

}  // namespace sparkles
