#include "monitor/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <string>

#include "monitor.pb.h"

namespace sparkles {
namespace {

using Request = ReflectionService::Request;
using Response = ReflectionService::Response;

// Finds a proto file that is linked into this program. Null if there is no such file.
const google::protobuf::FileDescriptor* FindFile(const Request& request) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  return request.message_request_case() == Request::kFileByFilename
             ? pool->FindFileByName(request.file_by_filename())
             : pool->FindFileContainingSymbol(request.file_containing_symbol());
}

void Fail(grpc::StatusCode code, const std::string& message, Response& response) {
  response.mutable_error_response()->set_error_code(code);
  response.mutable_error_response()->set_error_message(message);
}

void Answer(const Request& request, Response& response) {
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kListServices:
      for (const auto* file :
           {GetProcessStatusReply::descriptor()->file(), Request::descriptor()->file()}) {
        response.mutable_list_services_response()->add_service()->set_name(
            file->service(0)->full_name());
      }
      return;
    case Request::kFileByFilename:
    case Request::kFileContainingSymbol: {
      const auto* file = FindFile(request);
      if (file == nullptr) return Fail(grpc::StatusCode::NOT_FOUND, "unknown", response);
      google::protobuf::FileDescriptorProto content;
      file->CopyTo(&content);
      // Clients request imported files separately.
      response.mutable_file_descriptor_response()->add_file_descriptor_proto(
          content.SerializeAsString());
      return;
    }
    default:
      return Fail(grpc::StatusCode::UNIMPLEMENTED, "nothing has extensions here", response);
  }
}

// One reflection call: answers one request after another until the client ends the stream.
class ReflectionCall : public grpc::ServerBidiReactor<Request, Response> {
 public:
  explicit ReflectionCall(const grpc::Status& allowed) {
    if (allowed.ok()) {
      StartRead(&request_);
    } else {
      Finish(allowed);
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    response_.Clear();
    Answer(request_, response_);
    StartWrite(&response_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);  // the client is gone
    StartRead(&request_);
  }

  void OnDone() override { delete this; }

 private:
  Request request_;
  Response response_;
};

}  // namespace

grpc::ServerBidiReactor<Request, Response>* ReflectionService::ServerReflectionInfo(
    grpc::CallbackServerContext* context) {
  return new ReflectionCall(secret_.Check(context->client_metadata()));
}

}  // namespace sparkles
