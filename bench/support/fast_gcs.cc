#include "bench/support/fast_gcs.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <functional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/crc32c.h"
#include "bench/support/bench.h"
#include "gcp/gcs_object.h"

namespace sparkles {
namespace {

constexpr size_t kDropAtOnce = 1 << 20;
// The kept part of a body: the start of a multipart upload with its metadata.
constexpr size_t kKeptOfBody = 4096;

int64_t NowNs() { return absl::GetCurrentTimeNanos(); }

std::string HeaderOf(absl::string_view head, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(head, "\r\n")) {
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    if (absl::EqualsIgnoreCase(line.substr(0, colon), name)) {
      return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    }
  }
  return "";
}

uint64_t NumberOr0(absl::string_view text) {
  uint64_t number;
  return absl::SimpleAtoi(text, &number) ? number : 0;
}

// The value of `"key":"value"` in JSON without spaces, as the client writes it.
std::string Quoted(absl::string_view json, absl::string_view key) {
  const std::string start = absl::StrCat("\"", key, "\":\"");
  const size_t at = json.find(start);
  if (at == absl::string_view::npos) return "";
  const absl::string_view rest = json.substr(at + start.size());
  return std::string(rest.substr(0, rest.find('"')));
}

std::string AnswerHead(int status, uint64_t length, absl::string_view headers) {
  return absl::StrCat("HTTP/1.1 ", status, " Answer\r\nContent-Length: ", length, "\r\n", headers,
                      "\r\n");
}

}  // namespace

struct FastGcs::Request {
  std::string method;
  std::string path;   // without percent-encoded slashes
  std::string query;  // unchanged
  std::string range;
  std::string content_range;
};

struct FastGcs::Connection {
  UniqueFd fd;
  uint64_t serial = 0;
  std::string in;          // an incomplete head
  std::string head;        // of the request that is being read or answered
  std::string body_start;  // at most kKeptOfBody
  uint64_t body_bytes = 0;
  uint64_t body_left = 0;
  bool in_request = false;  // a body is read, or an answer is due or sent
  std::string out;
  size_t out_sent = 0;
  std::shared_ptr<const FastObject> object;  // sent after `out`
  uint64_t at = 0;
  uint64_t end = 0;
  bool due = true;  // the answer may be sent
};

FastObject MakeFastObject(std::string block, uint64_t size) {
  FastObject object{std::move(block), size, 0};
  for (uint64_t at = 0; at < size; at += object.block.size()) {
    object.crc32c =
        ExtendCrc32c(object.crc32c, absl::string_view(object.block).substr(0, size - at));
  }
  return object;
}

FastGcs::FastGcs()
    : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_.get(), generic, size) != 0 || listen(listener_.get(), 512) != 0 ||
      getsockname(listener_.get(), generic, &size) != 0) {
    GiveUp("no server on the loopback interface");
  }
  port_ = ntohs(address.sin_port);
  for (const int fd : {listener_.get(), stop_.get()}) {
    epoll_event event{EPOLLIN, {.fd = fd}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) GiveUp("epoll fails");
  }
  thread_ = std::thread([this] { Serve(); });
}

FastGcs::~FastGcs() {
  (void)eventfd_write(stop_.get(), 1);
  thread_.join();
}

std::string FastGcs::url() const { return absl::StrCat("http://127.0.0.1:", port_); }

void FastGcs::Put(const std::string& name, FastObject object) {
  const MutexLock lock(mutex_);
  objects_[name] = std::make_shared<const FastObject>(std::move(object));
}

std::shared_ptr<const FastObject> FastGcs::Find(const std::string& name) {
  const MutexLock lock(mutex_);
  const auto found = objects_.find(name);
  return found != objects_.end() ? found->second : nullptr;
}

void FastGcs::Serve() {
  std::array<epoll_event, 64> events;
  while (true) {
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), WaitMilliseconds());
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == stop_.get()) return;
      if (fd == listener_.get()) {
        Accept();
        continue;
      }
      const auto found = connections_.find(fd);
      if (found == connections_.end()) continue;
      Connection& connection = *found->second;
      if (!Send(connection) || !Receive(connection)) connections_.erase(found);
    }
    SendDelayedAnswers();
  }
}

void FastGcs::Accept() {
  while (true) {
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) return;
    const int one = 1;
    (void)setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_event event{EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP, {.fd = fd.get()}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) GiveUp("epoll fails");
    auto connection = std::make_unique<Connection>();
    const int number = fd.get();
    connection->fd = std::move(fd);
    connection->serial = next_serial_++;
    connections_[number] = std::move(connection);
  }
}

bool FastGcs::Receive(Connection& connection) {
  std::array<char, 64 << 10> buffer;
  while (true) {
    ssize_t got;
    if (connection.in_request && connection.body_left > 0) {
      const bool keeps = connection.body_start.size() < kKeptOfBody;
      const size_t room = keeps ? buffer.size() : kDropAtOnce;
      const auto wanted = static_cast<size_t>(std::min<uint64_t>(room, connection.body_left));
      // For TCP, MSG_TRUNC drops the data.
      got = recv(connection.fd.get(), buffer.data(), wanted, keeps ? 0 : MSG_TRUNC);
      if (got > 0) {
        const auto count = static_cast<size_t>(got);
        if (keeps) connection.body_start.append(buffer.data(), count);
        connection.body_left -= count;
        if (connection.body_left == 0) Answer(connection);
      }
    } else {
      got = recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
      if (got > 0) {
        connection.in.append(buffer.data(), static_cast<size_t>(got));
        if (!BeginRequest(connection)) return false;
      }
    }
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (!Send(connection)) return false;
  }
}

bool FastGcs::BeginRequest(Connection& connection) {
  const size_t end = connection.in.find("\r\n\r\n");
  if (end == std::string::npos) return connection.in.size() < (1 << 20);
  if (connection.in_request) return false;  // our client never sends the next request early
  ++requests_;
  connection.head = connection.in.substr(0, end);
  connection.in_request = true;
  connection.body_bytes = NumberOr0(HeaderOf(connection.head, "Content-Length"));
  connection.body_start = connection.in.substr(end + 4);
  if (connection.body_start.size() > connection.body_bytes) return false;
  connection.body_left = connection.body_bytes - connection.body_start.size();
  connection.in.clear();
  if (connection.body_left == 0) Answer(connection);
  return true;
}

void FastGcs::Answer(Connection& connection) {
  const absl::string_view head = connection.head;
  const std::vector<absl::string_view> words =
      absl::StrSplit(head.substr(0, head.find("\r\n")), ' ');
  Request request;
  if (words.size() == 3) {
    const std::pair<absl::string_view, absl::string_view> target =
        absl::StrSplit(words[1], absl::MaxSplits('?', 1));
    request.method = std::string(words[0]);
    request.path = absl::StrReplaceAll(target.first, {{"%2F", "/"}});
    request.query = absl::StrReplaceAll(target.second, {{"%2F", "/"}});
  }
  request.range = HeaderOf(connection.head, "Range");
  request.content_range = HeaderOf(connection.head, "Content-Range");
  if (request.method == "GET") {
    AnswerDownload(connection, request);
  } else {
    AnswerUpload(connection, request);
  }
  const int64_t latency = latency_ns_;
  connection.due = latency == 0;
  if (!connection.due) late_.push({NowNs() + latency, connection.fd.get(), connection.serial});
}

// Paths: /upload/storage/v1/b/BUCKET/o?...&name=NAME, and /session/BUCKET/NAME for the session.
void FastGcs::AnswerUpload(Connection& connection, const Request& request) {
  std::string name;
  std::string type;
  for (absl::string_view pair : absl::StrSplit(request.query, '&')) {
    if (absl::ConsumePrefix(&pair, "name=")) name = std::string(pair);
    if (absl::ConsumePrefix(&pair, "uploadType=")) type = std::string(pair);
  }
  absl::string_view path = request.path;
  uint64_t size = connection.body_bytes;
  if (absl::ConsumePrefix(&path, "/upload/storage/v1/b/")) {
    name = absl::StrCat(path.substr(0, path.find('/')), "/", name);
  } else if (absl::ConsumePrefix(&path, "/session/")) {
    name = std::string(path);
  }
  if (type == "resumable") {
    connection.out =
        AnswerHead(200, 0, absl::StrCat("Location: ", url(), "/session/", name, "\r\n"));
    return;
  }
  std::string crc = Quoted(connection.body_start, "crc32c");
  if (type == "multipart") {
    // Two part heads, the content, and "\r\n--BOUNDARY--\r\n".
    const std::string& body = connection.body_start;
    const size_t first = body.find("\r\n\r\n");
    const size_t content = body.find("\r\n\r\n", first + 4) + 4;
    size = connection.body_bytes - content - (body.find("\r\n") + 6);
  }
  if (crc.empty()) {
    const auto known = Find(name);
    crc = FormatCrc32c(known != nullptr ? known->crc32c : 0);
  }
  const std::string body = absl::StrCat(R"({"size":")", size, R"(","generation":"7","crc32c":")",
                                        crc, R"(","name":"n"})");
  connection.out = AnswerHead(200, body.size(), "Content-Type: application/json\r\n") + body;
}

// Path: /storage/v1/b/BUCKET/o/NAME
void FastGcs::AnswerDownload(Connection& connection, const Request& request) {
  absl::string_view path = request.path;
  const bool media = absl::StrContains(request.query, "alt=media");
  const bool known = absl::ConsumePrefix(&path, "/storage/v1/b/");
  const std::pair<absl::string_view, absl::string_view> name =
      absl::StrSplit(path, absl::MaxSplits("/o/", 1));
  const auto object = known && media ? Find(absl::StrCat(name.first, "/", name.second)) : nullptr;
  if (object == nullptr) {
    const absl::string_view body = R"({"error":{"code":404,"message":"No such object"}})";
    connection.out = absl::StrCat(AnswerHead(404, body.size(), ""), body);
    return;
  }
  connection.object = object;
  connection.at = 0;
  connection.end = object->size;
  std::string headers =
      absl::StrCat("X-Goog-Generation: 7\r\nX-Goog-Stored-Content-Encoding: identity\r\n",
                   "X-Goog-Stored-Content-Length: ", object->size,
                   "\r\nX-Goog-Hash: crc32c=", FormatCrc32c(object->crc32c), "\r\n");
  absl::string_view range = request.range;
  const bool partly = absl::ConsumePrefix(&range, "bytes=");
  if (partly) {
    const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(range, '-');
    connection.at = NumberOr0(ends.first);
    if (!ends.second.empty()) connection.end = NumberOr0(ends.second) + 1;
    absl::StrAppend(&headers, "Content-Range: bytes ", connection.at, "-", connection.end - 1, "/",
                    object->size, "\r\n");
  }
  connection.out = AnswerHead(partly ? 206 : 200, connection.end - connection.at, headers);
}

bool FastGcs::Send(Connection& connection) {
  if (!connection.due || connection.out.empty()) return true;
  while (true) {
    absl::string_view piece = absl::string_view(connection.out).substr(connection.out_sent);
    const bool from_object = piece.empty();
    if (from_object) {
      if (connection.at == connection.end || connection.object == nullptr) break;
      const std::string& block = connection.object->block;
      piece = absl::string_view(block).substr(connection.at % block.size());
      piece = piece.substr(0, connection.end - connection.at);
    }
    const ssize_t sent = send(connection.fd.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    const auto count = static_cast<size_t>(sent);
    if (from_object) {
      connection.at += count;
    } else {
      connection.out_sent += count;
    }
  }
  connection.in_request = false;
  connection.out.clear();
  connection.out_sent = 0;
  connection.object = nullptr;
  return true;
}

void FastGcs::SendDelayedAnswers() {
  const int64_t now = NowNs();
  while (!late_.empty() && late_.top().due_ns <= now) {
    const Late late = late_.top();
    late_.pop();
    const auto found = connections_.find(late.fd);
    if (found == connections_.end() || found->second->serial != late.serial) continue;
    found->second->due = true;
    if (!Send(*found->second)) connections_.erase(found);
  }
}

int FastGcs::WaitMilliseconds() const {
  if (late_.empty()) return -1;
  const int64_t wait = (late_.top().due_ns - NowNs()) / 1'000'000 + 1;
  return static_cast<int>(std::clamp<int64_t>(wait, 0, 1000));
}

}  // namespace sparkles
