"""A standard gRPC client of the Monitor, as a program for the Python that has grpcio.

usage: monitor_client.py ADDRESS CERTIFICATE STUBS    (STUBS: the directory of monitor_pb2.py)

Each line on stdin is a call as JSON: {"method", "request", "metadata", "times"}. Each line on
stdout is its result: {"code", "details", "reply", "trailing"}. Bytes are Latin-1 text. "reflect"
as `method` sends `request`, the bytes of a message, to the reflection service.
"""
import json
import sys

import grpc

ADDRESS, CERTIFICATE, STUBS = sys.argv[1:]
sys.path.insert(0, STUBS)
import monitor_pb2  # noqa: E402

TIMEOUT = 20  # seconds
MESSAGES = {
    "ReadOutput": (monitor_pb2.ReadOutputRequest, monitor_pb2.ReadOutputReply),
    "GetProcessStatus": (monitor_pb2.GetProcessStatusRequest, monitor_pb2.GetProcessStatusReply),
}


def fields(message):
    values = {field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields}
    return {name: value.decode("latin-1") if isinstance(value, bytes) else value
            for name, value in values.items()}


def call_method(channel, order):
    request, reply = MESSAGES[order["method"]]
    method = channel.unary_unary(f"/Monitor/{order['method']}",
                                 request_serializer=request.SerializeToString,
                                 response_deserializer=reply.FromString)
    for _ in range(order.get("times", 1)):
        answer, call = method.with_call(request(**order.get("request", {})), TIMEOUT,
                                        metadata=order["metadata"])
    return fields(answer), call


def reflect(channel, order):
    method = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    call = method(iter([order["request"].encode("latin-1")]), TIMEOUT, metadata=order["metadata"])
    return b"".join(call).decode("latin-1"), call


def carry_out(channel, order):
    try:
        body = reflect if order["method"] == "reflect" else call_method
        reply, call = body(channel, order)
        trailing = {key: str(value) for key, value in call.trailing_metadata() or ()}
        return {"code": "OK", "details": "", "reply": reply, "trailing": trailing}
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details(), "reply": None,
                "trailing": {}}


def main():
    with open(CERTIFICATE, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    options = [("grpc.ssl_target_name_override", "sparkles.server")]
    with grpc.secure_channel(ADDRESS, credentials, options) as channel:
        for line in sys.stdin:
            print(json.dumps(carry_out(channel, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
